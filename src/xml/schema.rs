//! The one file that speaks to libxml2.
