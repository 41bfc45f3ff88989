//! Floor 0: the values everything else speaks in, and the decisions that need nothing but values.
//! Only `std` here: no I/O, no clock, no log, no library.

pub mod access;
pub mod ack;
pub mod change;
pub mod checkpoint;
pub mod code;
pub mod digest;
pub mod disclosure;
pub mod document;
pub mod environment;
pub mod facts;
pub mod finding;
pub mod handover;
pub mod language;
pub mod ledger;
pub mod lifecycle;
pub mod limits;
pub mod log;
pub mod message;
pub mod messages;
pub mod notice;
pub mod oid;
pub mod outage;
pub mod outbox;
pub mod person;
pub mod query;
pub mod reckoning;
pub mod reconciling;
pub mod refusal;
pub mod scope;
pub mod staff;
pub mod time;
pub mod trace;
pub mod will;
