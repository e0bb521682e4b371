//! Only as many messages are taken as handlers have room for, so that none grows old while it waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flux_core::{Consumer as _, Delivery, Failure, Message, QueueSubscriber as _};
use flux_jetstream::{ConsumerConfig, JsConsumer, JsDeliveries, JsStream, StreamBus as _};
use flux_router::{Route, Router};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::sleep;

use crate::{listen, put, stream, take, text};

const SECOND: Duration = Duration::from_secs(1);
const ACK_WAIT: Duration = Duration::from_secs(2);

async fn fill(stream: &JsStream, messages: u32) {
    let numbered = |number: u32| Message::new("orders.a", Bytes::from(number.to_string())).unwrap();
    let receipts = stream.publish_all(futures_util::stream::iter((0..messages).map(numbered)), 100).await.unwrap();
    assert!(receipts.all(async |receipt| receipt.is_ok()).await);
}

/// Waits until the server has twice repeated a message that nobody settles: then all that is not kept alive is overdue.
async fn two_ack_waits(stream: &JsStream) {
    let clock = ConsumerConfig::ephemeral().with_ack_wait(ACK_WAIT).with_max_ack_pending(1);
    let mut clock = listen(&stream.consumer(clock).await.unwrap()).await;
    while take(&mut clock).await.metadata.delivered != Some(3) {}
}

/// Settles at once, until the subscription has taken hundreds ahead; returns how many were settled.
async fn settle_fast(consumer: &JsConsumer, deliveries: &mut JsDeliveries) -> u32 {
    for round in 1..=20 {
        for _ in 0..200 {
            take(deliveries).await.ack().await.unwrap();
        }
        if consumer.info().await.unwrap().ack_pending >= 200 {
            return round * 200;
        }
    }
    panic!("fast handlers get one at a time");
}

#[tokio::test]
async fn what_was_taken_ahead_of_a_handler_that_hangs_is_not_delivered_again() {
    let stream = stream().await;
    fill(&stream, 5_000).await;
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_ack_wait(ACK_WAIT)).await.unwrap();
    let mut deliveries = listen(&consumer).await;
    let settled = settle_fast(&consumer, &mut deliveries).await;
    two_ack_waits(&stream).await;
    // To another member, the server would first deliver again what is overdue.
    let fetched = consumer.fetch(10, SECOND).await.unwrap();
    for taken in fetched.into_iter().map(Result::unwrap) {
        assert_eq!(taken.metadata.delivered, Some(1), "{}", text(&taken));
        taken.ack().await.unwrap();
    }
    for _ in settled + 10..5_000 {
        let taken = take(&mut deliveries).await;
        assert_eq!(taken.metadata.delivered, Some(1), "{}", text(&taken));
        taken.ack().await.unwrap();
    }
}

#[tokio::test]
async fn what_comes_when_nobody_waits_any_more_is_not_delivered_again() {
    let stream = stream().await;
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_ack_wait(ACK_WAIT)).await.unwrap();
    let mut deliveries = listen(&consumer).await;
    // It asks, and then the route is paused, or the caller does something else.
    assert!(take(&mut deliveries).now_or_never().is_none());
    put(&stream, "orders.a", "1").await.unwrap();
    two_ack_waits(&stream).await;
    assert!(consumer.fetch(1, Duration::ZERO).await.unwrap().is_empty(), "another member is given it");
    assert_eq!(take(&mut deliveries).await.metadata.delivered, Some(1));
}

/// Runs a route of two workers over `messages`, each handled in the time that `takes` says, and counts the deliveries.
async fn deliveries_of(messages: u32, takes: fn(u64) -> Duration) -> u64 {
    let stream = stream().await;
    fill(&stream, messages).await;
    let stream = stream.with_consumer_defaults(ConsumerConfig::ephemeral().with_ack_wait(SECOND));
    let (handled, delivered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counts = (Arc::clone(&handled), Arc::clone(&delivered));
    let handler = move |message: Message<Bytes>| {
        let (handled, delivered) = (Arc::clone(&counts.0), Arc::clone(&counts.1));
        async move {
            drop(message);
            sleep(takes(delivered.fetch_add(1, Ordering::SeqCst))).await;
            handled.fetch_add(1, Ordering::SeqCst);
            Ok::<(), Failure>(())
        }
    };
    let router = Router::new().add(Route::new("orders.>", &stream, handler).queue_group("workers").concurrency(2));
    let handle = router.handle();
    let start = Instant::now();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    let shared = ConsumerConfig::durable("workers").with_ack_wait(SECOND).with_filter("orders.>");
    let consumer = stream.consumer(shared).await.unwrap();
    loop {
        let info = consumer.info().await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(100), "{info:?}");
        if info.pending == 0 && info.ack_pending == 0 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    handle.stop();
    assert!(running.await.unwrap().unwrap().is_drained());
    assert_eq!(handled.load(Ordering::SeqCst), delivered.load(Ordering::SeqCst));
    consumer.info().await.unwrap().delivered
}

#[tokio::test]
async fn handlers_that_become_slow_have_what_waits_kept_alive() {
    // The first thousand take no time, so that hundreds are taken ahead of those that do.
    let takes = |number| if number < 1_000 { Duration::ZERO } else { Duration::from_millis(200) };
    assert_eq!(deliveries_of(1_100, takes).await, 1_100);
}

#[tokio::test]
async fn nothing_is_taken_ahead_of_a_handler_that_has_settled_nothing() {
    let stream = stream().await;
    fill(&stream, 50).await;
    let consumer = stream.consumer(ConsumerConfig::durable("d")).await.unwrap();
    let mut deliveries = listen(&consumer).await;
    let mut held = Vec::new();
    for taken in 1..=10 {
        held.push(take(&mut deliveries).await);
        assert_eq!(consumer.info().await.unwrap().ack_pending, taken);
    }
}

#[tokio::test]
async fn at_most_as_many_are_taken_ahead_as_allowed() {
    let stream = stream().await;
    fill(&stream, 200).await;
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_max_prefetch(10)).await.unwrap();
    let mut deliveries = listen(&consumer).await;
    for _ in 0..100 {
        take(&mut deliveries).await.acker.ack_confirmed().await.unwrap();
        let pending = consumer.info().await.unwrap().ack_pending;
        assert!(pending <= 10, "{pending}");
    }
}

#[tokio::test]
async fn what_was_taken_ahead_is_given_back() {
    let stream = stream().await;
    fill(&stream, 1_000).await;
    let mut leaving = stream.subscribe_group("orders.>", "workers").await.unwrap();
    for _ in 0..200 {
        take(&mut leaving).await.ack().await.unwrap();
    }
    drop(leaving);
    let start = Instant::now();
    let mut stays = stream.subscribe_group("orders.>", "workers").await.unwrap();
    let mut numbers = Vec::new();
    for _ in 200..1_000 {
        let taken = take(&mut stays).await;
        numbers.push(text(&taken).parse::<u32>().unwrap());
        taken.ack().await.unwrap();
    }
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(200..1_000));
    assert!(start.elapsed() < Duration::from_secs(20), "the ack wait of 30 s was waited for");
}

#[tokio::test]
async fn a_fetch_takes_no_more_than_it_brings() {
    let stream = stream().await;
    fill(&stream, 20).await;
    let consumer = stream.consumer(ConsumerConfig::durable("d")).await.unwrap();
    let batch = consumer.fetch(5, SECOND).await.unwrap();
    assert_eq!((batch.len(), consumer.info().await.unwrap().ack_pending), (5, 5));
    let at_once = consumer.fetch(100, Duration::ZERO).await.unwrap();
    assert_eq!(at_once.len(), 15);
    let settles = |item: Result<Delivery<_, _>, _>| item.unwrap().acker;
    for acker in batch.into_iter().chain(at_once).map(settles) {
        flux_jetstream::JsAcker::ack_confirmed(acker).await.unwrap();
    }
    assert_eq!(consumer.info().await.unwrap().ack_pending, 0);
    stream.delete_consumer("d").await.unwrap();
    assert_eq!(consumer.fetch(1, SECOND).await.unwrap_err().kind(), flux_core::ErrorKind::Closed);
}
