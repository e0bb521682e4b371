#![doc = include_str!("../README.md")]

mod config;
mod hash;
mod mem;
mod publisher;
mod queue;
mod receiver;
mod registry;
mod request;
mod ring;
mod stream;
mod subscriber;
mod trie;
mod wakes;

pub use config::{MemConfig, WhenFull};
pub use mem::Mem;
pub use publisher::Delivered;
pub use request::{MemReply, MemRequests};
pub use stream::{
    ConsumerConfig, ConsumerInfo, DeliverPolicy, Discard, MemAcker, MemConsumer, MemStream, Retention, Stored,
    StreamConfig, StreamDeliveries, StreamInfo,
};
pub use subscriber::MemDeliveries;
