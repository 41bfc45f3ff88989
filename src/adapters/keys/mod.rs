//! Signing keys: PEM files.
