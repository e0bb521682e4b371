//! The guide, a chapter a page.

#[doc = include_str!("guide/handlers.md")]
pub mod handlers {}

#[doc = include_str!("guide/failures.md")]
pub mod failures {}

#[doc = include_str!("guide/services.md")]
pub mod services {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}
