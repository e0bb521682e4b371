#![doc = include_str!("../README.md")]

mod config;
mod hash;
mod mem;
mod publisher;
mod queue;
mod receiver;
mod registry;
mod request;
mod stream;
mod subscriber;
mod trie;
mod wakes;

pub use config::{MemConfig, WhenFull};
pub use mem::Mem;
pub use publisher::Delivered;
pub use request::{MemReply, MemRequests};
pub use subscriber::MemDeliveries;
