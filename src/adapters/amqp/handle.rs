//! What goes with a delivery to the pipeline: its trace, and the way back to the channel that it came by.

use lapin::message::Delivery as Raw;
use lapin::types::AMQPValue;
use tokio::sync::mpsc;

use crate::domain::trace::{TRACEPARENT, TraceContext};
use crate::ports::broker::{Settle, Settlement};

/// The trace that the guard let pass.
pub(super) fn trace(raw: &Raw) -> Option<TraceContext> {
    match raw.properties.headers().as_ref()?.inner().get(TRACEPARENT)? {
        AMQPValue::LongString(text) => TraceContext::parse(text.as_bytes()),
        _ => None,
    }
}

/// Settles one delivery on the channel it came by; on no other, ever. Dropped, it says so.
pub(super) struct Handle {
    tag: u64,
    to: Option<mpsc::UnboundedSender<(u64, Option<Settlement>)>>,
}

impl Handle {
    pub(super) const fn new(tag: u64, to: mpsc::UnboundedSender<(u64, Option<Settlement>)>) -> Self {
        Self { tag, to: Some(to) }
    }
}

impl Settle for Handle {
    fn settle(mut self: Box<Self>, how: Settlement) {
        if let Some(to) = self.to.take() {
            // The channel is gone: the broker hands the message over again.
            let _ = to.send((self.tag, Some(how)));
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(to) = self.to.take() {
            let _ = to.send((self.tag, None));
        }
    }
}
