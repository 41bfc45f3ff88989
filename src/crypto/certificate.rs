//! X.509 certificates: reading, chains to trust anchors, validity, key usage.
