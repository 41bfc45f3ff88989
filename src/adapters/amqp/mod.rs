//! RabbitMQ through lapin: consumer, publisher, topology, doctor, and the client that `arkki send` and the demo use.

mod client;
mod connect;
mod consumer;
pub mod depths;
mod desk;
pub mod doctor;
mod guard;
mod handle;
mod in_hand;
mod inspect;
mod lane;
mod management;
mod partition_check;
pub mod partitions;
mod publisher;
mod ready;
mod settings;
mod shallow;
mod share;
pub mod switch;
mod tap;
pub mod topology;

pub use client::{AmqpClient, Answer, Answers};
pub use consumer::AmqpConsumer;
pub use depths::AmqpDepths;
pub use publisher::{AmqpPublisher, Outgoing, Through};
pub use settings::{AmqpSettings, InboundQueue, Secret};
pub use tap::{Passing, Tap};
