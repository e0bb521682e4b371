//! Settings that make no sense are errors that say why.

use std::time::Duration;

use flux_core::{ErrorKind, Result, Subscriber as _};
use flux_mem::{ConsumerConfig, Mem, StreamConfig};

use crate::{config, stream};

#[track_caller]
fn refused<T>(result: Result<T>, part: &str) {
    let Err(error) = result else { panic!("`{part}` was accepted") };
    assert!(matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidSubject), "{error}");
    assert!(error.to_string().contains(part), "`{part}` is not in: {error}");
}

#[tokio::test]
async fn of_a_stream() {
    refused(Mem::stream(StreamConfig::new("", ["a"])), "name is empty");
    refused(Mem::stream(StreamConfig::new("s", [""; 0])), "no subjects");
    refused(Mem::stream(StreamConfig::new("s", ["a..b"])), "a..b");
    refused(Mem::stream(StreamConfig::new("s", ["a.*", "*.b"])), "overlap");
    refused(Mem::stream(config().with_max_messages(0)), "limit of 0");
    refused(Mem::stream(config().with_max_age(Duration::ZERO)), "limit of 0");
}

#[tokio::test]
async fn of_a_consumer() {
    let stream = stream();
    refused(stream.consumer(ConsumerConfig::durable("")), "name is empty");
    refused(stream.consumer(ConsumerConfig::durable("d").with_max_deliver(0)), "limit of 0");
    refused(stream.consumer(ConsumerConfig::durable("d").with_max_ack_pending(0)), "limit of 0");
    refused(stream.consumer(ConsumerConfig::durable("d").with_ack_wait(Duration::ZERO)), "ack wait of 0");
    refused(stream.consumer(ConsumerConfig::durable("d").with_filter("invoices.>")), "orders.>");
    let durable = ConsumerConfig::durable("d").with_filter("orders.a");
    let consumer = stream.consumer(durable.clone()).unwrap();
    stream.consumer(durable.clone()).unwrap();
    let other = durable.with_ack_wait(Duration::from_secs(1)).with_max_deliver(3);
    refused(stream.consumer(other), "ack_wait, max_deliver");
    refused(consumer.subscribe("orders.b").await, "orders.b");
    consumer.subscribe("orders.a").await.unwrap();
}
