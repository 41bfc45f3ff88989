//! Metadata templates: data that says what a document of a group must hold.
