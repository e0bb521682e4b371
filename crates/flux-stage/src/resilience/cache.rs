//! What was done already.

mod distinct;
mod recent;
mod results;

pub use distinct::Distinct;
pub use results::Cache;
