//! Windows over streams.

mod session;
mod sliding;
mod tumbling;

pub use session::Session;
pub use sliding::Sliding;
pub use tumbling::Tumbling;
