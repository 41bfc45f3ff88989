//! The one road out.
