//! Settings that make no sense are errors that say why.

use std::time::Duration;

use bytes::Bytes;
use flux_core::{ErrorKind, Failure, Message, Result, Subscriber as _};
use flux_mem::{ConsumerConfig, DeliverPolicy, Discard, Mem, Retention, StreamConfig};

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

#[tokio::test]
async fn that_no_server_takes() {
    for name in ["a.b", "a b", "a*", ">", "a/b", "a\\b", "a\n"] {
        refused(Mem::stream(StreamConfig::new(name, ["orders.>"])), "the name has a blank or one of");
        refused(stream().consumer(ConsumerConfig::durable(name)), "the name has a blank or one of");
    }
    refused(Mem::stream(StreamConfig::new("x".repeat(256), ["orders.>"])), "longer than 255");
    let short = config().with_max_age(Duration::from_secs(1));
    refused(Mem::stream(short.clone().with_duplicate_window(Duration::from_secs(2))), "duplicate window is longer");
    Mem::stream(short).unwrap();
    let per_subject = config().with_discard_new_per_subject();
    refused(Mem::stream(per_subject.clone().with_max_messages_per_subject(1)), "`Discard::New`");
    refused(Mem::stream(per_subject.with_discard(Discard::New)), "a limit per subject");
    let durable = || ConsumerConfig::durable("d");
    refused(stream().consumer(durable().with_filter("orders.*").with_filter("orders.a")), "overlap");
    refused(stream().consumer(durable().with_backoff([Duration::ZERO])), "ack wait of 0");
    let steps = [1, 2].map(Duration::from_secs);
    refused(stream().consumer(durable().with_backoff(steps).with_max_deliver(1)), "more backoff steps");
    let from_zero = DeliverPolicy::FromSequence(0);
    refused(stream().consumer(durable().with_deliver_policy(from_zero)), "begin at 1");
    let nothing = |_: Message<Bytes>| async { Ok::<(), Failure>(()) };
    assert!(stream().replay(">", from_zero, nothing).await.is_err());
    let queue = Mem::stream(config().with_retention(Retention::WorkQueue)).unwrap();
    refused(queue.consumer(durable().with_deliver_policy(DeliverPolicy::New)), "begins at the oldest");
}
