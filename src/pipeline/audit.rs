//! Re-verifies everything the archive holds.
