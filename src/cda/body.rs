//! The body: base64, XHTML, PDF/A, JSON.
