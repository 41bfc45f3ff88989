//! Where the spans of traces go: a collector, or nowhere.

use crate::domain::trace::Span;

/// Takes spans: at once, without waiting, and without a word when there is no room.
pub trait Spans: Send + Sync {
    /// Takes one.
    fn take(&self, span: Span);
}
