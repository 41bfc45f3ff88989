//! XML: the pre-pass, the schemas, and the verdicts of independent tools on both.

mod agree;
mod attacks;
mod classes;
mod compare;
mod corpus;
mod differential;
mod encodings;
mod frames;
mod judges;
mod official;
mod prepass;
mod profiles;
mod replay;
mod schema;
mod shared;
