//! XML: the pre-pass, the schemas, and the verdicts of independent tools on both.

mod agree;
mod compare;
mod differential;
mod frames;
mod judges;
mod official;
mod encodings;
mod prepass;
mod profiles;
mod schema;
mod shared;
