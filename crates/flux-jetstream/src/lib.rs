#![doc = include_str!("../README.md")]

mod acker;
mod atomic;
mod backlog;
mod bus;
mod config;
mod consumer;
mod difference;
mod error;
mod event;
mod inbox;
mod jetstream;
mod keeper;
#[cfg(feature = "kv")]
mod kv;
#[cfg(feature = "object-store")]
mod objects;
mod ordered;
mod pace;
mod provision;
mod publisher;
mod receipts;
mod replay;
mod stream;
mod subscriber;
mod wire;

pub use acker::JsAcker;
pub use atomic::StoredBatch;
pub use bus::StreamBus;
pub use config::{
    Acks, Compression, ConsumerConfig, DeliverPolicy, Discard, OnDifference, Placement, PriorityGroup, ReplayPolicy,
    Republish, Retention, Source, Storage, StreamConfig, Transform,
};
pub use consumer::{ConsumerInfo, JsConsumer};
pub use difference::Difference;
pub use error::ServerError;
pub use event::{Event, Events};
pub use jetstream::JetStream;
#[cfg(feature = "kv")]
pub use kv::{Change, Entry, KeyValue, KvConfig, Watch};
#[cfg(feature = "object-store")]
pub use objects::{ObjectInfo, ObjectReader, ObjectStore, ObjectStoreConfig};
pub use ordered::{JsOrdered, OrderedDeliveries};
pub use publisher::{PublishOptions, Schedule, Stored};
pub use receipts::Receipts;
pub use replay::{Replay, Replayed};
pub use stream::{JsStream, StreamInfo};
pub use subscriber::JsDeliveries;
