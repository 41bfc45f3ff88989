//! Floor 1: HL7 V3 messages: frames and queries in, acknowledgements and answers out.

pub mod ack;
pub mod event;
pub mod frame;
pub mod patient;
mod payload;
pub mod query;
pub mod response;
