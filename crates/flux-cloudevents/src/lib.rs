#![doc = include_str!("../README.md")]

mod attributes;
mod binary;
mod config;
mod event;
mod layer;
mod structured;
mod subscriber;

pub use config::{Binding, CloudEventsConfig, Mode};
pub use event::Event;
pub use layer::CloudEvents;
pub use subscriber::EventDeliveries;
