//! How often a stage runs.

mod debounce;
mod throttle;

pub use debounce::Debounce;
pub use throttle::Throttle;
