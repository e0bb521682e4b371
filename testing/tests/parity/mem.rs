//! A stream in memory.

use std::future::{Future, ready};

use flux_mem::Mem;

pub(crate) use flux_mem::{
    ConsumerConfig, DeliverPolicy, Discard, MemConsumer as Consumer, MemStream as Stream, Retention, StreamConfig,
};

/// A stream, which lives on nothing.
pub(crate) fn open(config: StreamConfig) -> impl Future<Output = (Stream, ())> {
    ready((Mem::stream(config).unwrap(), ()))
}

pub(crate) fn consumer(stream: &Stream, config: ConsumerConfig) -> impl Future<Output = flux_core::Result<Consumer>> {
    ready(stream.consumer(config))
}

#[path = "scenarios.rs"]
mod scenarios;
