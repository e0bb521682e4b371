#![doc = include_str!("../README.md")]

#[cfg(feature = "_otlp")]
mod background;
#[cfg(feature = "_setup")]
mod guard;
#[cfg(feature = "otlp-http")]
mod http_client;
#[cfg(feature = "logs")]
mod logs;
#[cfg(feature = "_otlp")]
mod otlp;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "_setup")]
mod providers;
mod redact;
#[cfg(feature = "_otlp")]
mod redacted_spans;
#[cfg(feature = "_setup")]
mod setup;
#[cfg(feature = "_setup")]
mod variables;

#[cfg(feature = "_setup")]
pub use flux_core::telemetry::Propagation;
#[cfg(feature = "_setup")]
pub use guard::Guard;
#[cfg(feature = "logs")]
pub use logs::{Format, LogLines};
#[cfg(feature = "_otlp")]
pub use otlp::Protocol;
#[cfg(feature = "prometheus")]
pub use prometheus::Prometheus;
pub use redact::{HIDDEN, Redact, RedactedHeaders};
#[cfg(feature = "_setup")]
pub use setup::{Sampling, Setup, init};
