#![doc = include_str!("../README.md")]

mod compose;
mod error;
mod ext;
mod resilience;

pub use compose::{
    Filter, FlatMap, Inspect, InspectErr, Label, Map, MapErr, Named, OnlyIf, OrElse, Peek, Then, TryMap,
};
pub use error::{FanOutError, IndexedError, StageError};
pub use ext::StageExt;
pub use resilience::*;
