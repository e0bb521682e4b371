//! Operators between subscribers and publishers of any transports.

mod best_effort;
mod fan_in;
mod layered;
mod pipe;
mod send_all;
mod settle_by;

pub use best_effort::BestEffort;
pub use fan_in::{Merged, MergedDeliveries};
pub use layered::{Layered, Sending};
pub use pipe::{Many, One, Pipe, Same, pipe, pipe_flat_map, pipe_map};
pub use send_all::SendAll;
pub use settle_by::SettleBy;
