#![doc = include_str!("../README.md")]

mod answer;
mod case;
mod dead_letter;
mod delivery_route;
mod delivery_work;
mod event;
mod extract;
mod fault;
mod guard;
mod handle;
mod handler;
mod inline;
#[cfg(feature = "telemetry")]
mod instruments;
mod intake;
mod key_order;
mod ladder;
#[cfg(feature = "tracing")]
mod log;
mod message_work;
mod metrics;
mod pace;
mod plan;
mod report;
mod request_route;
mod request_work;
mod route;
mod router;
mod run;
mod shared;
mod shutdown;
mod source;
#[cfg(feature = "telemetry")]
mod standing;
mod stop;
mod worker;

pub use answer::{Answer, Answering, AnsweringReply, AnsweringRequests};
pub use delivery_route::DeliveryRoute;
pub use event::Event;
pub use extract::{FromParts, FromRef, Parts, State, TokenError, Tokens};
pub use handle::Handle;
pub use handler::{Extracting, Extracts, IntoHandler, IsStage};
pub use ladder::Ladder;
pub use metrics::RouteMetrics;
pub use plan::{AddRoute, Plan};
pub use report::{Report, RouteReport};
pub use request_route::RequestRoute;
pub use route::{Route, Undecodable};
pub use router::Router;
pub use shutdown::SecondSignal;
#[cfg(feature = "signal")]
pub use shutdown::shutdown_signal;
#[doc(no_inline)]
pub use tower_layer::layer_fn;
