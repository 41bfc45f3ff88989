//! Versions and replacement.
