//! Keys: where the private half of the system signature lives.

pub mod pem;
