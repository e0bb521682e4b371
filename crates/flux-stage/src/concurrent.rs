//! Many stages, or many inputs, in one future: what is dropped stops, and nothing is spawned.

mod fan_in;
mod fan_out;
mod map_each;
mod ordered;
mod parallel;
mod race;
mod round_robin;
mod route;
mod settle_each;
mod slots;
mod window;

pub use fan_in::FanIn;
pub use fan_out::FanOut;
pub use map_each::MapEach;
pub use parallel::Parallel;
pub use race::Race;
pub use round_robin::RoundRobin;
pub use route::{Cases, Route};
pub use settle_each::SettleEach;
#[cfg(feature = "messaging")]
pub(crate) use window::{OnFailure, Window, all, each};
