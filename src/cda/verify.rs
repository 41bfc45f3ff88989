//! Verifies the signatures that came with a document.
