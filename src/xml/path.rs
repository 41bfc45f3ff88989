//! From a line and a column to the element that stands there.
