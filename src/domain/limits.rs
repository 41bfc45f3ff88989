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
/// The most elements, comments, instructions and runs of text together: text that comments cut to pieces makes a tree as large as elements do.
pub const NODES: usize = 2 * ELEMENTS;
/// The most findings reported of one stage: a broken generator repeats one fault thousands of times.
pub const FINDINGS: usize = 100;
/// The most signatures verified in one document; two were seen, more than sixteen is an attack on our processor.
pub const SIGNATURES: usize = 16;
/// The most versions of a set, and the most events about it, that its history shows; real sets have a dozen.
pub const HISTORY: u32 = 10_000;
/// The most will documents of one client that a decision folds, all versions counted; a client has a handful, and beyond the bound nothing is permitted.
pub const WILLS: u32 = 5_000;
/// The most octets of what they say, before the last of them: a document that denies what it may deny has some 60 KB.
pub const WILL_OCTETS: usize = 16 * 1024 * 1024;
/// The most things that one will document denies or cancels.
pub const DENIALS: usize = 1_000;
/// How often a decision is taken anew from fresh facts before the message waits its turn again.
pub const STALE_ATTEMPTS: usize = 5;
/// How often a message may make us panic before it is refused as a defect.
pub const PANICS: u32 = 3;
/// The longest extension of an id, in characters: registers' numbers have some dozen, and the logs keep ids of some thousand octets.
pub const EXTENSION: usize = 255;
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
/// The most partition queues of one inbound queue: each is a Raft group of the broker's own, and beyond a few a processor nothing is gained.
pub const PARTITIONS: u16 = 64;
/// How long deliveries are kept in hand during an outage before the channel is closed and reopened at recovery; RabbitMQ's own `consumer_timeout` is 30 minutes.
pub const IN_HAND: Duration = Duration::from_secs(20 * 60);
/// The most documents one query gives (messaging.md D23, §3.2: the archivist's limit, taken for every query); above it there is no part of the answer.
pub const QUERY_HITS: u32 = 300;
/// The largest answer to a query, in octets: what a sender may have to take is no larger than what it may send.
pub const ANSWER_OCTETS: usize = MESSAGE_OCTETS;
/// How many documents are looked at to say how a search that found too many may be narrowed; beyond, the counts are of the first so many.
pub const NARROWED_ROWS: u32 = 20_000;
/// How many values are shown for each way to narrow.
pub const NARROWING_CHOICES: usize = 10;
/// How many answers with documents in them are made at once: each may hold [`ANSWER_OCTETS`] several times over while it is made.
pub const FETCHES_AT_ONCE: usize = 4;
/// The longest span of a search by dates alone, in days: an index answers it, but a century of days would be the whole archive.
pub const DATES_ALONE_DAYS: i64 = 366;
