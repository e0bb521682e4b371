#![cfg_attr(
    all(feature = "breaker", feature = "limit", feature = "retry", feature = "timeout"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "breaker", feature = "limit", feature = "retry", feature = "timeout")),
    doc = "Composition, resilience, messaging operators and metrics over the one `Stage` trait."
)]

mod compose;
#[cfg(feature = "concurrent")]
mod concurrent;
mod error;
mod ext;
mod graph;
#[cfg(any(feature = "stream", feature = "tower"))]
mod interop;
#[cfg(feature = "messaging")]
mod messaging;
#[cfg(feature = "observe")]
mod observe;
mod pipeline;
#[cfg(any(feature = "batch", feature = "breaker", feature = "retry"))]
mod report;
mod resilience;
#[cfg(feature = "spawn")]
mod spawned;

pub use compose::{
    Filter, FlatMap, Inspect, InspectErr, Label, Map, MapErr, Named, OnlyIf, OrElse, Peek, Then, TryMap,
};
#[cfg(feature = "concurrent")]
pub use concurrent::{Cases, FanIn, FanOut, MapEach, Parallel, Race, RoundRobin, Route, SettleEach};
pub use error::{FanOutError, IndexedError, NoStages, StageError};
pub use ext::StageExt;
pub use graph::{Describe, Shape};
#[cfg(any(feature = "stream", feature = "tower"))]
pub use interop::*;
#[cfg(feature = "messaging")]
pub use messaging::{
    BestEffort, Layered, Many, Merged, MergedDeliveries, One, Pipe, Same, SendAll, Sending, SettleBy, pipe,
    pipe_flat_map, pipe_map,
};
#[cfg(feature = "observe")]
pub use observe::{End, Metered, MetricsSink, StageMetrics, Traced};
pub use pipeline::Pipeline;
pub use resilience::*;
#[cfg(feature = "spawn")]
pub use spawned::{Spawned, Stopped};
