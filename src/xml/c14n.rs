//! Exclusive XML Canonicalization 1.0 without comments.
