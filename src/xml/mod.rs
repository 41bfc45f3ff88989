//! Floor 1: XML. Octets in, facts and findings out; pure, bounded, synchronous.

pub mod c14n;
pub mod declared;
mod detective;
pub mod dsig;
pub mod encoding;
pub mod explain;
pub mod first_id;
pub mod identity;
pub mod model;
mod names;
pub mod order;
pub mod path;
pub mod prepass;
pub mod scan;
pub mod schema;
pub mod scope;
pub mod sentence;
pub mod sight;
pub mod tree;
pub mod write;
