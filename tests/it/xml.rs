//! XML: the pre-pass, the schemas, and the verdicts of independent tools on both.

mod attacks;
mod classes;
mod corpus;
mod compare;
mod differential;
mod prepass;
mod replay;
mod schema;
mod shared;
