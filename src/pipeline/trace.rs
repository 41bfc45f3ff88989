//! The spans of one message: taken, examined, waiting in its lane, decided, sealed, committed, sent. Where no traces are made nothing is recorded
//! and no clock is read; a context that came with the message passes on all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::message::{Envelope, MessageKey};
use crate::domain::outbox::OutboxEntry;
use crate::domain::time::Moment;
use crate::domain::trace::{Kind, Leaving, Named, Span, TraceContext};
use crate::ports::clock::{Clock, Entropy};
use crate::ports::spans::Spans;

/// Makes spans. One for a gateway.
pub struct Tracer {
    spans: Arc<dyn Spans>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Of so many messages without a context one is recorded; 0: none.
    one_in: u64,
    count: AtomicU64,
}

impl Tracer {
    /// A tracer whose spans go there.
    #[must_use]
    pub fn new(spans: Arc<dyn Spans>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, one_in: u64) -> Self {
        Self { spans, clock, entropy, one_in, count: AtomicU64::new(0) }
    }

    /// The span of an answer's sending, from when the relay took it.
    pub fn sent(&self, entry: &OutboxEntry, start: Option<Moment>, is_routed: bool) {
        let (Some(Leaving { context, parent: Some(parent) }), Some(start)) = (entry.trace, start) else { return };
        let attributes = vec![
            ("messaging.system", Named::Text("rabbitmq".to_owned())),
            ("messaging.message.id", Named::Text(entry.amqp_id.clone())),
            ("arkki.routed", Named::Number(i64::from(is_routed))),
        ];
        self.spans.take(Span { context, parent: Some(parent), name: "arkki send", kind: Kind::Producer, start, end: self.clock.now(), attributes });
    }

    /// Now, for an answer whose sending is recorded.
    #[must_use]
    pub fn now_for(&self, entry: &OutboxEntry) -> Option<Moment> {
        entry.trace.and_then(|leaving| leaving.parent).map(|_| self.clock.now())
    }

    fn id(&self) -> [u8; 8] {
        let sixteen = self.entropy.sixteen();
        sixteen.first_chunk::<8>().copied().filter(|id| *id != [0; 8]).unwrap_or([1; 8])
    }
}

/// What is known of a message's trace.
pub struct Tracing {
    /// As it came.
    came: Option<TraceContext>,
    recorded: Option<Box<Recorded>>,
}

struct Recorded {
    tracer: Arc<Tracer>,
    context: TraceContext,
    start: Moment,
    bytes: usize,
    queue: String,
}

impl Tracing {
    /// For a message without one: held messages, whose traces ended with their first hand-over.
    pub const NONE: Self = Self { came: None, recorded: None };

    /// For a message that was handed over now.
    #[must_use]
    pub fn begin(tracer: Option<&Arc<Tracer>>, came: Option<TraceContext>, envelope: &Envelope) -> Self {
        let recorded = tracer.filter(|tracer| match came {
            Some(context) => context.is_sampled,
            None => tracer.one_in > 0 && tracer.count.fetch_add(1, Ordering::Relaxed).is_multiple_of(tracer.one_in),
        });
        let recorded = recorded.map(|tracer| {
            let trace = came.map_or_else(|| tracer.entropy.sixteen(), |context| context.trace);
            let context = TraceContext { trace, span: tracer.id(), is_sampled: true };
            let (start, bytes) = (tracer.clock.now(), envelope.octets.len());
            Box::new(Recorded { tracer: Arc::clone(tracer), context, start, bytes, queue: envelope.inbound.clone() })
        });
        Self { came, recorded }
    }

    /// Now, where it is recorded.
    #[must_use]
    pub fn now(&self) -> Option<Moment> {
        self.recorded.as_ref().map(|recorded| recorded.tracer.clock.now())
    }

    /// A step ended; the next one begins.
    pub fn step(&self, name: &'static str, since: Option<Moment>) -> Option<Moment> {
        let (recorded, start) = (self.recorded.as_ref()?, since?);
        let end = recorded.tracer.clock.now();
        let context = TraceContext { span: recorded.tracer.id(), ..recorded.context };
        recorded.tracer.spans.take(Span { context, parent: Some(recorded.context.span), name, kind: Kind::Internal, start, end, attributes: Vec::new() });
        Some(end)
    }

    /// Gives what leaves its header: a span of its own where it is recorded, else what came.
    pub fn leave(&self, entries: &mut [OutboxEntry]) {
        for entry in entries {
            entry.trace = match &self.recorded {
                Some(recorded) => {
                    let context = TraceContext { span: recorded.tracer.id(), ..recorded.context };
                    Some(Leaving { context, parent: Some(recorded.context.span) })
                }
                None => self.came.map(|context| Leaving { context, parent: None }),
            };
        }
    }

    /// The message is decided and committed.
    pub fn end(&self, key: &MessageKey, ending: &'static str, code: Option<&'static str>, position: Option<u64>) {
        let Some(recorded) = &self.recorded else { return };
        let mut attributes = vec![
            ("messaging.system", Named::Text("rabbitmq".to_owned())),
            ("messaging.operation.type", Named::Text("process".to_owned())),
            ("messaging.message.body.size", Named::Number(i64::try_from(recorded.bytes).unwrap_or(i64::MAX))),
            ("arkki.queue", Named::Text(recorded.queue.clone())),
            ("arkki.message", Named::Text(key.short())),
            ("arkki.ending", Named::Text(ending.to_owned())),
        ];
        attributes.extend(code.map(|code| ("arkki.code", Named::Text(code.to_owned()))));
        attributes.extend(position.and_then(|p| i64::try_from(p).ok()).map(|p| ("arkki.position", Named::Number(p))));
        let parent = self.came.map(|context| context.span);
        let (context, start, end) = (recorded.context, recorded.start, recorded.tracer.clock.now());
        recorded.tracer.spans.take(Span { context, parent, name: "arkki process", kind: Kind::Consumer, start, end, attributes });
    }
}
