//! What a stream in memory promises, shown under a paused clock: thirty seconds pass as soon as nothing else is left to do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod closing;
mod consumers;
mod counts;
mod extremes;
mod limits;
mod model;
mod redelivery;
mod reentry;
mod reference;
mod retention;
mod settings;

use std::time::Duration;

use bytes::Bytes;
use flux_core::{Delivery, Message, Publisher as _, Result, Subscriber as _, next};
use flux_mem::{Mem, MemAcker, MemConsumer, MemStream, Stored, StreamConfig, StreamDeliveries};
use tokio::time::Instant;

type Taken = Delivery<Bytes, MemAcker>;

fn config() -> StreamConfig {
    StreamConfig::new("orders", ["orders.>"])
}

fn stream() -> MemStream {
    Mem::stream(config()).unwrap()
}

async fn put(stream: &MemStream, subject: &str, text: &str) -> Result<Stored> {
    stream.publish(subject, Bytes::copy_from_slice(text.as_bytes())).await
}

async fn put_with_id(stream: &MemStream, id: &str) -> Stored {
    let message = Message::new("orders.new", Bytes::from_static(b"x")).unwrap().with_id(id).unwrap();
    stream.send(message).await.unwrap()
}

async fn listen(consumer: &MemConsumer) -> StreamDeliveries {
    consumer.subscribe(">").await.unwrap()
}

async fn take(deliveries: &mut StreamDeliveries) -> Taken {
    next(std::pin::Pin::new(deliveries)).await.unwrap().unwrap()
}

/// What comes within an hour, if anything does. The clock is paused, so waiting is free.
async fn take_within_an_hour(deliveries: &mut StreamDeliveries) -> Option<Taken> {
    let taken = tokio::time::timeout(Duration::from_secs(3600), next(std::pin::Pin::new(deliveries))).await;
    taken.ok().flatten().map(|item| item.unwrap())
}

fn text(taken: &Taken) -> String {
    String::from_utf8(taken.message.payload.to_vec()).unwrap()
}

fn seconds_since(start: Instant) -> u64 {
    start.elapsed().as_secs()
}
