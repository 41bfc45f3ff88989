//! Links: document, case, client relation.
