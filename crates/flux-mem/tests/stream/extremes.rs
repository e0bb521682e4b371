//! The largest and the smallest of everything a caller can give: no panic, no message lost, nothing without end.

use std::time::{Duration, SystemTime};

use flux_core::Consumer as _;
use flux_mem::{ConsumerConfig, DeliverPolicy, Mem, MemStream};

use crate::{config, listen, put, stream, take, take_within_an_hour, text};

/// About the last moment a clock can tell; timers look a little further.
const LATEST: Duration = Duration::from_secs(i64::MAX as u64 - 10_000_000);

/// That nothing is broken: what is published is delivered to this consumer.
async fn works(stream: &MemStream, durable: &str) {
    put(stream, "orders.a", "after").await.unwrap();
    let consumer = stream.consumer(ConsumerConfig::durable(durable)).unwrap();
    assert_eq!(text(&take(&mut listen(&consumer).await).await), "after");
}

#[tokio::test(start_paused = true)]
async fn a_nak_for_ever() {
    let stream = stream();
    let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
    put(&stream, "orders.a", "x").await.unwrap();
    let mut deliveries = listen(&consumer).await;
    put(&stream, "orders.a", "y").await.unwrap();
    take(&mut deliveries).await.nak_after(Duration::MAX).await.unwrap();
    take(&mut deliveries).await.nak_after(LATEST).await.unwrap();
    assert!(take_within_an_hour(&mut deliveries).await.is_none());
    assert_eq!(consumer.info().unwrap().ack_pending, 2);
    works(&stream, "d").await;
}

#[tokio::test(start_paused = true)]
async fn an_ack_wait_without_end() {
    for config in [
        ConsumerConfig::durable("d").with_ack_wait(Duration::MAX),
        ConsumerConfig::durable("d").with_ack_wait(LATEST),
        ConsumerConfig::durable("d").with_backoff([Duration::MAX]),
    ] {
        let stream = stream();
        put(&stream, "orders.a", "x").await.unwrap();
        let consumer = stream.consumer(config).unwrap();
        let mut deliveries = listen(&consumer).await;
        let taken = take(&mut deliveries).await;
        taken.progress().await.unwrap();
        assert!(take_within_an_hour(&mut deliveries).await.is_none());
        taken.nak().await.unwrap();
        assert_eq!(take(&mut deliveries).await.metadata.delivered, Some(2));
    }
}

#[tokio::test(start_paused = true)]
async fn an_age_and_a_window_without_end() {
    let endless = config().with_max_age(Duration::MAX).with_duplicate_window(Duration::MAX);
    let stream = Mem::stream(endless).unwrap();
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d")).unwrap()).await;
    assert!(take_within_an_hour(&mut deliveries).await.is_none());
    crate::put_with_id(&stream, "one").await;
    assert!(crate::put_with_id(&stream, "one").await.duplicate);
    drop(take(&mut deliveries).await);
    assert_eq!(take(&mut deliveries).await.metadata.delivered, Some(2));
}

#[tokio::test(start_paused = true)]
async fn batches_of_any_size_and_for_any_time() {
    let stream = stream();
    let limits = ConsumerConfig::durable("d").with_max_ack_pending(usize::MAX).with_max_deliver(u64::MAX);
    let consumer = stream.consumer(limits).unwrap();
    for _ in 0..3 {
        put(&stream, "orders.a", "x").await.unwrap();
    }
    assert_eq!(consumer.fetch(2, Duration::MAX).await.unwrap().len(), 2);
    assert_eq!(consumer.fetch(1, LATEST).await.unwrap().len(), 1);
    assert_eq!(consumer.fetch(usize::MAX, Duration::ZERO).await.unwrap().len(), 0);
    assert_eq!(consumer.fetch(usize::MAX, Duration::from_secs(31)).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_batch_ends_although_its_messages_run_out_while_it_is_taken() {
    let stream = stream();
    let hasty = ConsumerConfig::durable("d").with_ack_wait(Duration::from_nanos(1));
    let consumer = stream.consumer(hasty).unwrap();
    for _ in 0..100 {
        put(&stream, "orders.a", "x").await.unwrap();
    }
    let batch = consumer.fetch(usize::MAX, Duration::ZERO).await.unwrap();
    assert!(batch.len() >= 100);
}

#[tokio::test(start_paused = true)]
async fn places_that_are_none() {
    let stream = stream();
    put(&stream, "orders.a", "x").await.unwrap();
    assert!(stream.get(0).is_none());
    assert!(stream.get(2).is_none());
    assert!(stream.get(u64::MAX).is_none());
    let last = ConsumerConfig::durable("d").with_deliver_policy(DeliverPolicy::FromSequence(u64::MAX));
    let consumer = stream.consumer(last).unwrap();
    assert_eq!(consumer.info().unwrap().pending, 0);
    let nothing = |_: flux_core::Message<bytes::Bytes>| async { Ok::<(), flux_core::Failure>(()) };
    assert_eq!(stream.replay(">", DeliverPolicy::FromSequence(u64::MAX), nothing).await.unwrap(), 0);
    stream.purge(">").unwrap();
    assert_eq!(consumer.info().unwrap().pending, 0);
    put(&stream, "orders.a", "y").await.unwrap();
    assert_eq!(text(&take(&mut listen(&consumer).await).await), "y");
}

#[tokio::test(start_paused = true)]
async fn times_that_are_far_away() {
    let stream = stream();
    put(&stream, "orders.a", "x").await.unwrap();
    let year = Duration::from_secs(365 * 24 * 3600);
    let past = SystemTime::UNIX_EPOCH - 100 * year;
    let future = SystemTime::now() + 200 * year;
    for (name, time, expected) in [("past", past, 1), ("future", future, 0)] {
        let config = ConsumerConfig::durable(name).with_deliver_policy(DeliverPolicy::FromTime(time));
        assert_eq!(stream.consumer(config).unwrap().info().unwrap().pending, expected);
    }
}
