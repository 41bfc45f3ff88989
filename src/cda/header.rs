//! The header facts of a document.
