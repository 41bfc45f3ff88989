//! RabbitMQ through lapin: consumer, publisher, topology, doctor, and the client that `arkki send` and the demo use.

mod connect;
mod consumer;
mod guard;
mod in_hand;
mod lane;
mod publisher;
mod settings;

pub use consumer::AmqpConsumer;
pub use publisher::AmqpPublisher;
pub use settings::{AmqpSettings, InboundQueue, Secret};
