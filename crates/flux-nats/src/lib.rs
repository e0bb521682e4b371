#![doc = include_str!("../README.md")]

pub mod error;
mod nats;
pub mod wire;

pub use async_nats::Client;
pub use nats::Nats;
