//! Floor 2: raw TOML to checked configuration, once.
