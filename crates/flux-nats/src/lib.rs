#![doc = include_str!("../README.md")]

mod config;
pub mod error;
mod nats;
mod publisher;
mod request;
mod subscriber;
pub mod wire;

pub use config::NatsConfig;
pub use nats::Nats;
pub use publisher::{Buffered, Flushed};
pub use request::{NatsReply, NatsRequests};
pub use subscriber::NatsDeliveries;
