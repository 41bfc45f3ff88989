//! XML: the pre-pass, the schemas, and the verdicts of independent tools on both.

mod compare;
mod differential;
mod frames;
mod judges;
mod official;
mod prepass;
mod schema;
mod shared;
