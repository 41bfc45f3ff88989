//! Placeholder while the other tests are made to pass.
