//! Time and chance, so that a test can hold both still.

use crate::domain::time::Moment;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Moment;
}

/// Gives random octets.
pub trait Entropy: Send + Sync {
    /// 16 random octets, enough for an id that nobody meets twice.
    fn sixteen(&self) -> [u8; 16];
}
