//! The one integration binary; a module a subject. Real RabbitMQ, real PostgreSQL, real tools.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod amqp;
mod cda;
mod console;
mod deploy;
mod disclosure;
mod faces;
mod faults;
mod generate;
mod hostile;
mod imports;
mod kit;
mod lifecycle;
mod lilm;
mod messages;
mod order;
mod queries;
mod road;
mod rules;
mod sign;
mod sink;
mod store;
mod tidy;
mod wills;
mod xml;
