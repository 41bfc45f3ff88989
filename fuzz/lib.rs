//! What the fuzz targets hold octets to.

mod checks;
pub mod seal;

pub use checks::*;
