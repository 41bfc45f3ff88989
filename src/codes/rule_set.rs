//! All rules that are data, loaded and checked together.
