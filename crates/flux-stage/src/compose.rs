//! Stages made of one or two others, with a future that is one flat state.

mod and_then;
mod filter;
mod flat_map;
mod inspect;
mod label;
mod map;
mod map_err;
mod mapped;
mod named;
mod only_if;
mod or_else;
mod then;
mod try_map;

pub use filter::Filter;
pub use flat_map::FlatMap;
pub use inspect::{Inspect, InspectErr, Peek};
pub use label::Label;
pub use map::Map;
pub use map_err::MapErr;
pub use named::Named;
pub use only_if::OnlyIf;
pub use or_else::OrElse;
pub use then::Then;
pub use try_map::TryMap;
