#![doc = include_str!("../README.md")]

mod config;
pub mod error;
mod monitor;
mod nats;
mod publisher;
mod request;
mod service;
mod subscriber;
pub mod wire;

pub use config::{Credentials, NatsConfig, Tls};
pub use monitor::{Counters, Monitor, NatsEvent, NatsEvents};
pub use nats::Nats;
pub use publisher::{Buffered, Flushed};
pub use request::{Many, NatsAnswers, NatsReply, NatsRequests, RequestMany, TypedAnswers};
pub use service::{Endpoint, NatsEndpoint, NatsService, Service};
pub use subscriber::NatsDeliveries;
