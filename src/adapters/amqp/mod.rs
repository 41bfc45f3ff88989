//! RabbitMQ through lapin: consumer, publisher, topology, doctor, and the client that `arkki send` and the demo use.

mod client;
mod connect;
mod consumer;
mod desk;
pub mod doctor;
mod guard;
mod in_hand;
mod inspect;
mod lane;
mod management;
mod publisher;
mod settings;
pub mod topology;

pub use client::{AmqpClient, Answer, Answers};
pub use consumer::AmqpConsumer;
pub use publisher::{AmqpPublisher, Outgoing};
pub use settings::{AmqpSettings, InboundQueue, Secret};
