//! The one road in.
