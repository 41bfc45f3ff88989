//! The machine's clock and entropy.
