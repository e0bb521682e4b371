//! What tests of several crates share.

mod collector;
mod dice;
mod http_get;
mod peer;
mod tools;

pub use collector::{Collector, Span};
pub use dice::Dice;
pub use http_get::get;
pub use peer::Peer;
