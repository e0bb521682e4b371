//! Publishing and subscribing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flux_core::{Bytes, ErrorKind, Message, Outstanding, Publisher, Scope, Subscriber, header, subject};
use flux_mem::{Mem, MemDeliveries};
use futures_util::StreamExt as _;

use crate::{payload, ready, subscribe};

/// Counts its clones; cannot be serialised.
struct Counted(Arc<AtomicUsize>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

#[tokio::test]
async fn the_value_moves_and_n_subscribers_cost_n_less_one_clones() {
    let bus = Mem::new();
    let clones = Arc::new(AtomicUsize::new(0));
    let mut subscribers: Vec<MemDeliveries<Counted>> = Vec::new();
    for n in 1..=5 {
        subscribers.push(subscribe(&bus, "orders.*").await);
        clones.store(0, Ordering::Relaxed);
        let receipt = bus.publish("orders.created", Counted(Arc::clone(&clones))).await.expect("published");
        assert_eq!((receipt.subscribers, receipt.dropped), (n, 0));
        assert_eq!(clones.load(Ordering::Relaxed), n - 1);
        for subscriber in &mut subscribers {
            payload(subscriber).await;
        }
    }
}

#[tokio::test]
async fn subject_and_headers_arrive_as_they_were_sent() {
    let bus = Mem::new();
    let mut deliveries = subscribe::<i32>(&bus, "orders.>").await;
    let sent =
        Message::new("orders.eu.created", 7).unwrap().with_id("m-1").unwrap().with_header("X-Tenant", "a").unwrap();
    bus.send(sent.clone()).await.expect("published");
    let got = deliveries.next().await.expect("open").expect("a message");
    assert_eq!(got.message, sent);
}

#[tokio::test]
async fn what_a_handler_publishes_carries_the_ids_on() {
    let bus = Mem::new();
    let mut deliveries = subscribe::<i32>(&bus, ">").await;
    let cause = Message::to(subject!("a"), ()).with_id("m-1").unwrap();
    Scope::of(&cause.headers).run(bus.publish("b", 1)).await.expect("published");
    let effect = deliveries.next().await.expect("open").expect("a message").message;
    assert_eq!(effect.causation_id(), Some("m-1"));
    assert_eq!(effect.headers.get(&header::CORRELATION_ID), Some("m-1"));
}

#[tokio::test]
async fn messages_keep_the_order_of_their_publisher() {
    let bus = Mem::new();
    let mut deliveries = subscribe::<i32>(&bus, "n").await;
    let publisher = tokio::spawn(async move {
        for n in 0..10_000 {
            bus.publish("n", n).await.expect("published");
        }
    });
    for n in 0..10_000 {
        assert_eq!(payload(&mut deliveries).await, n);
    }
    publisher.await.expect("no panic");
    assert!(deliveries.next().await.is_none(), "the last handle is gone, so nothing can come");
}

#[tokio::test]
async fn a_dropped_stream_is_unsubscribed() {
    let bus = Mem::new();
    assert_eq!(bus.publish("a.b", 1).await.expect("no subscriber is no error").subscribers, 0);
    let (one, two) = (subscribe::<i32>(&bus, "a.*").await, subscribe::<i32>(&bus, "a.b").await);
    assert_eq!(bus.publish("a.b", 1).await.expect("published").subscribers, 2);
    drop(one);
    assert_eq!(bus.publish("a.b", 1).await.expect("published").subscribers, 1);
    drop(two);
    assert_eq!(bus.publish("a.b", 1).await.expect("published").subscribers, 0);
}

#[tokio::test]
async fn streams_dropped_in_any_order_leave_the_others_alone() {
    let bus = Mem::new();
    let mut streams: Vec<MemDeliveries<usize>> = Vec::new();
    for _ in 0..20 {
        streams.push(subscribe(&bus, "a").await);
    }
    for index in [3, 0, 16, 9, 9, 1, 0] {
        drop(streams.swap_remove(index));
        let receipt = bus.publish("a", streams.len()).await.expect("published");
        assert_eq!(receipt.subscribers, streams.len());
        let left = streams.len();
        for stream in &mut streams {
            assert_eq!(payload(stream).await, left);
        }
    }
}

#[tokio::test]
async fn a_bad_subject_or_filter_is_refused_with_its_text() {
    let bus = Mem::new();
    let error = bus.publish("orders..created", 1).await.expect_err("an empty token");
    assert_eq!(error.kind(), ErrorKind::InvalidSubject);
    let error = Subscriber::<i32>::subscribe(&bus, "orders.>.x").await.expect_err("`>` in the middle");
    assert_eq!(error.kind(), ErrorKind::InvalidSubject);
    assert_eq!(error.operation(), Some("subscribe"));
    assert!(error.to_string().contains("orders.>.x"), "{error}");
}

#[tokio::test]
async fn the_backlog_counts_what_was_accepted() {
    let bus = Mem::new();
    let mut deliveries = subscribe::<i32>(&bus, "a").await;
    let backlog = <Mem as Subscriber<i32>>::backlog(&deliveries).expect("mem can tell");
    for n in 0..3 {
        bus.publish("a", n).await.expect("published");
    }
    payload(&mut deliveries).await;
    assert_eq!(backlog.outstanding().await.expect("mem can tell"), Outstanding::Accepted(3));
}

#[test]
fn no_runtime_is_needed_to_publish_and_subscribe() {
    use futures_util::FutureExt as _;
    let bus = Mem::new();
    let mut deliveries = subscribe::<i32>(&bus, "a").now_or_never().expect("at once");
    bus.publish("a", 5).now_or_never().expect("at once").expect("published");
    assert_eq!(ready(&mut deliveries).expect("queued").expect("a message"), 5);
    assert!(ready(&mut deliveries).is_none());
}

#[tokio::test]
async fn encoded_payloads_are_left_to_the_adaptor_that_encoded_them() {
    let bus = Mem::new();
    let mut deliveries = subscribe::<Bytes>(&bus, "a").await;
    let cause = Message::to(subject!("a"), ()).with_id("m-1").unwrap();
    Scope::of(&cause.headers).run(bus.publish("a", Bytes::new())).await.expect("published");
    let got = deliveries.next().await.expect("open").expect("a message").message;
    assert!(got.headers.is_empty(), "`Typed` adds the ids, once: {:?}", got.headers);
}
