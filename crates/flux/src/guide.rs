//! The guide, a chapter a page.

#[doc = include_str!("guide/handlers.md")]
pub mod handlers {}

#[doc = include_str!("guide/failures.md")]
pub mod failures {}

#[cfg(all(feature = "json", feature = "mem"))]
#[doc = include_str!("guide/transports.md")]
pub mod transports {}

#[doc = include_str!("guide/services.md")]
pub mod services {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[cfg(all(feature = "mem", feature = "stage", feature = "telemetry"))]
#[doc = include_str!("guide/resilience.md")]
pub mod resilience {}
