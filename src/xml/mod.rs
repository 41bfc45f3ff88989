//! Floor 1: XML. Octets in, facts and findings out; pure, bounded, synchronous.

pub mod c14n;
pub mod dsig;
pub mod path;
pub mod prepass;
pub mod schema;
pub mod sentence;
pub mod tree;
pub mod write;
