//! The sentences of `codes/refusals.toml`.
