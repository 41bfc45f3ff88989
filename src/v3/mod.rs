//! Floor 1: HL7 V3 messages: frames in, acknowledgements out.

pub mod ack;
pub mod event;
pub mod frame;
pub mod patient;
mod payload;
