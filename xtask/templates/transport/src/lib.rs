#![doc = include_str!("../README.md")]

mod config;
mod error;
mod publisher;
mod subscriber;
mod transport;
mod wire;

pub use config::{{Name}}Config;
pub use publisher::Sent;
pub use subscriber::Deliveries;
pub use transport::{{Name}};
