//! Floor 3: adapters, one library each.

pub mod amqp;
pub mod clock;
pub mod embedded;
pub mod keys;
pub mod post;
pub mod revocation;
pub mod store;
