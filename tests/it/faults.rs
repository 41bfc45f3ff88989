//! A thousand mixed messages and one fault at a time, on a RabbitMQ and a PostgreSQL of their own; the end state is exact, checked by set.
//! Every message has its own AMQP id and a written fate ([`mix`]); what was seen of each run is printed for whoever closes the matter.

pub(crate) mod mix;
pub(crate) mod place;
pub(crate) mod queue;
mod runs;
mod token;
pub(crate) mod verdict;
pub(crate) mod ways;
