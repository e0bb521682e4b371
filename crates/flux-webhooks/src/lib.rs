#![doc = include_str!("../README.md")]

mod layer;
mod secret;
mod signature;
mod subscriber;

pub use layer::Webhooks;
pub use secret::{Secret, Secrets};
pub use subscriber::SignedDeliveries;
