//! The end of a bus.

use std::pin::pin;

use flux_core::{ErrorKind, Publisher, QueueSubscriber, Requester, Responder, Subscriber};
use flux_mem::{Mem, MemConfig, MemDeliveries};
use futures_util::StreamExt as _;

use crate::{payload, poll_once, subscribe};

#[tokio::test]
async fn close_waits_until_the_streams_have_handed_over_what_was_queued() {
    let bus = Mem::new();
    let mut alone = subscribe::<i32>(&bus, "a").await;
    let mut grouped: MemDeliveries<i32> = bus.subscribe_group("a", "g").await.expect("open");
    let abandoned = subscribe::<i32>(&bus, "a").await;
    for n in 0..3 {
        bus.publish("a", n).await.expect("published");
    }
    let mut closing = pin!(bus.close());
    assert!(poll_once(closing.as_mut()).is_pending());
    for n in 0..3 {
        assert!(poll_once(closing.as_mut()).is_pending());
        assert_eq!(payload(&mut alone).await, n);
        assert_eq!(payload(&mut grouped).await, n);
    }
    drop(abandoned);
    closing.await;
    bus.close().await;
    assert!(alone.next().await.is_none() && alone.next().await.is_none());
    assert!(grouped.next().await.is_none());
}

#[tokio::test]
async fn a_closed_bus_takes_nothing() {
    let bus = Mem::new();
    let other = bus.clone();
    bus.close().await;
    let errors = [
        other.publish("a", 1).await.expect_err("closed"),
        Subscriber::<i32>::subscribe(&other, "a").await.expect_err("closed"),
        QueueSubscriber::<i32>::subscribe_group(&other, "a", "g").await.expect_err("closed"),
        Responder::<i32, i32>::listen(&other, "a").await.expect_err("closed"),
        Requester::<i32, i32>::request(&other, "a", 1).await.expect_err("closed"),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
}

#[tokio::test]
async fn a_publisher_that_waits_learns_of_the_end() {
    let bus = Mem::with_config(MemConfig::new().with_capacity(1));
    let mut stream = subscribe::<i32>(&bus, "a").await;
    bus.publish("a", 0).await.expect("room");
    let waiting = tokio::spawn({
        let bus = bus.clone();
        async move { bus.publish("a", 1).await }
    });
    tokio::task::yield_now().await;
    let closing = tokio::spawn({
        let bus = bus.clone();
        async move { bus.close().await }
    });
    let error = waiting.await.expect("no panic").expect_err("it was not queued");
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!(payload(&mut stream).await, 0);
    closing.await.expect("no panic");
    assert!(stream.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_published_when_the_bus_closes_is_delivered_and_nothing_else() {
    for capacity in [1, 7, 1024] {
        let bus = Mem::with_config(MemConfig::new().with_capacity(capacity));
        let mut stream = subscribe::<i32>(&bus, "a").await;
        let publishers: Vec<_> = (0..3)
            .map(|_| {
                let bus = bus.clone();
                tokio::spawn(async move {
                    let mut sent = 0_i32;
                    while bus.publish("a", sent).await.is_ok() {
                        sent += 1;
                    }
                    sent
                })
            })
            .collect();
        let mut got = 0;
        while got < 500 {
            payload(&mut stream).await;
            got += 1;
        }
        let closing = tokio::spawn(async move { bus.close().await });
        while let Some(delivery) = stream.next().await {
            let _ = delivery.expect("a message");
            got += 1;
        }
        closing.await.expect("no panic");
        let mut sent = 0;
        for publisher in publishers {
            sent += publisher.await.expect("no panic");
        }
        assert_eq!(got, sent);
    }
}

#[tokio::test]
async fn streams_end_when_the_last_handle_is_dropped() {
    let bus = Mem::new();
    let mut stream = subscribe::<i32>(&bus, "a").await;
    bus.publish("a", 1).await.expect("published");
    let clone = bus.clone();
    drop(bus);
    clone.publish("a", 2).await.expect("a clone is the same bus");
    drop(clone);
    assert_eq!((payload(&mut stream).await, payload(&mut stream).await), (1, 2));
    assert!(stream.next().await.is_none());
}
