//! One bounded walk before anything else sees the octets.
