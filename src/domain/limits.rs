//! Every bound has a name, a number and a reason. Those an operator may turn stand in `config/arkki.toml` with these defaults.

use std::time::Duration;

/// The largest message taken, in octets: the default cap of a document is 20 MiB (documents.md §1.2), a frame carries it in base64 (×4/3) and a header.
pub const MESSAGE_OCTETS: usize = 30 * 1024 * 1024;
/// The largest document taken, in octets (documents.md Q16).
pub const DOCUMENT_OCTETS: usize = 20 * 1024 * 1024;
/// The deepest nesting taken; real documents stay under 40, body entries of the patient side under 100.
pub const DEPTH: usize = 256;
/// The most attributes on one element; the widest CDA type has a dozen.
pub const ATTRIBUTES: usize = 256;
/// The longest attribute value taken, in octets: the longest legal ones are display names and namespaces.
pub const ATTRIBUTE_OCTETS: usize = 64 * 1024;
/// The most elements in one document: 20 MiB of the smallest elements would be millions of nodes and gigabytes of tree.
pub const ELEMENTS: usize = 2_000_000;
/// The most findings reported of one stage: a broken generator repeats one fault thousands of times.
pub const FINDINGS: usize = 100;
/// The most signatures verified in one document; two were seen, more than sixteen is an attack on our processor.
pub const SIGNATURES: usize = 16;
/// The most versions of a set, and the most events about it, that its history shows; real sets have a dozen.
pub const HISTORY: u32 = 10_000;
/// How often a decision is taken anew from fresh facts before the message waits its turn again.
pub const STALE_ATTEMPTS: usize = 5;
/// How often a message may make us panic before it is refused as a defect.
pub const PANICS: u32 = 3;
/// The longest name taken from AMQP properties (AMQP's short string is 255 octets).
pub const SHORT_STRING: usize = 255;
/// The longest AMQP `message_id` that an acknowledgement repeats (issue's rule).
pub const ECHOED_MESSAGE_ID: usize = 64;
/// How many commits share one transaction: beyond 64 the wait grows and the gain does not.
pub const COMMIT_BATCH: usize = 64;
/// How many octets of documents share one transaction, so that large documents do not make giant transactions.
pub const COMMIT_BATCH_OCTETS: usize = 32 * 1024 * 1024;
/// How long an outbox row is leased to the instance that made it; after that any instance may send it.
pub const OUTBOX_LEASE: Duration = Duration::from_secs(15);
/// How long a held message waits by default.
pub const HOLD: Duration = Duration::from_secs(60);
/// How many messages of one sender may be on hold.
pub const HELD_PER_SENDER: u64 = 1_000;
/// How many messages may be on hold in all.
pub const HELD_IN_ALL: u64 = 10_000;
/// How long deliveries are kept in hand during an outage before the channel is closed and reopened at recovery; RabbitMQ's own `consumer_timeout` is 30 minutes.
pub const IN_HAND: Duration = Duration::from_secs(20 * 60);
