//! The CPU stage: octets in, a checked request or a refusal out.
