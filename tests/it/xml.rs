//! XML: the pre-pass, the schemas, and the verdicts of independent tools on both.

mod agree;
mod compare;
mod differential;
mod encodings;
mod prepass;
mod profiles;
mod schema;
mod shared;
