//! Floor 3: adapters, one library each.

pub mod amqp;
pub mod checkpoint_file;
pub mod clock;
pub mod embedded;
pub mod evidence;
pub mod fhir_sink;
mod https;
pub mod keys;
pub mod machine;
pub mod openid;
pub mod otlp;
pub mod post;
pub mod revocation;
pub mod scrape;
pub mod stamper;
pub mod store;
