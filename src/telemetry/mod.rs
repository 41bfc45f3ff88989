//! Floor 2: one function per event: one log line and its metrics.
