//! Queues that are full.

use std::pin::pin;

use flux_core::{Message, Publisher, QueueSubscriber as _, subject};
use flux_mem::{Mem, MemConfig, WhenFull};

use crate::{payload, poll_once, ready, subscribe};

fn waiting(capacity: usize) -> Mem {
    Mem::with_config(MemConfig::new().with_capacity(capacity))
}

fn dropping(capacity: usize) -> Mem {
    Mem::with_config(MemConfig::new().with_capacity(capacity).with_full(WhenFull::Drop))
}

#[tokio::test]
async fn dropped_messages_are_counted_for_receipt_subscription_and_bus() {
    let bus = dropping(2);
    let mut slow = subscribe::<i32>(&bus, "n").await;
    let mut fast = subscribe::<i32>(&bus, "*").await;
    for n in 0..5 {
        let receipt = bus.publish("n", n).await.expect("dropping is no error");
        assert_eq!((receipt.subscribers, receipt.dropped), if n < 2 { (2, 0) } else { (1, 1) });
        assert_eq!(payload(&mut fast).await, n);
    }
    assert_eq!((bus.dropped(), slow.dropped(), fast.dropped()), (3, 3, 0));
    assert_eq!((payload(&mut slow).await, payload(&mut slow).await), (0, 1));
    assert!(ready(&mut slow).is_none());
}

#[tokio::test]
async fn a_capacity_of_nothing_counts_as_one() {
    let bus = dropping(0);
    let _stream = subscribe::<i32>(&bus, "n").await;
    assert_eq!(bus.config().capacity.get(), 1);
    assert_eq!(bus.publish("n", 0).await.expect("published").subscribers, 1);
    assert_eq!(bus.publish("n", 1).await.expect("published").dropped, 1);
}

#[tokio::test]
async fn the_capacity_is_exact_while_the_stream_holds_a_batch() {
    let bus = dropping(4);
    let mut stream = subscribe::<i32>(&bus, "n").await;
    let mut next = 0..;
    let mut publish = async |count: usize| {
        let mut accepted = 0;
        for n in next.by_ref().take(count) {
            accepted += bus.publish("n", n).await.expect("published").subscribers;
        }
        accepted
    };
    assert_eq!(publish(6).await, 4);
    payload(&mut stream).await;
    assert_eq!(publish(3).await, 1, "one was taken, the stream holds the other three");
    payload(&mut stream).await;
    payload(&mut stream).await;
    assert_eq!(publish(3).await, 2);
}

#[tokio::test]
async fn a_publisher_waits_for_room_and_goes_on() {
    let bus = waiting(2);
    let mut stream = subscribe::<i32>(&bus, "n").await;
    bus.publish("n", 0).await.expect("room");
    bus.publish("n", 1).await.expect("room");
    let mut third = pin!(bus.publish("n", 2));
    assert!(poll_once(third.as_mut()).is_pending());
    assert_eq!(payload(&mut stream).await, 0);
    assert_eq!(third.await.expect("published").subscribers, 1);
    assert_eq!((payload(&mut stream).await, payload(&mut stream).await), (1, 2));
}

#[tokio::test]
async fn every_item_taken_makes_room_at_once() {
    let bus = waiting(4);
    let mut stream = subscribe::<i32>(&bus, "n").await;
    for n in 0..4 {
        bus.publish("n", n).await.expect("room");
    }
    for n in 4..20 {
        let publisher = tokio::spawn({
            let bus = bus.clone();
            async move { bus.publish("n", n).await }
        });
        tokio::task::yield_now().await;
        assert!(!publisher.is_finished());
        assert_eq!(payload(&mut stream).await, n - 4);
        assert_eq!(publisher.await.expect("no panic").expect("published").subscribers, 1);
    }
}

#[tokio::test]
async fn a_subscriber_that_leaves_frees_the_publisher() {
    let bus = waiting(1);
    let full = subscribe::<i32>(&bus, "n").await;
    let mut other = subscribe::<i32>(&bus, "*").await;
    bus.publish("n", 0).await.expect("room");
    let publisher = tokio::spawn({
        let bus = bus.clone();
        async move { bus.publish("n", 1).await }
    });
    assert_eq!(payload(&mut other).await, 0);
    assert_eq!(payload(&mut other).await, 1, "who has room gets it at once or when there is some");
    assert!(!publisher.is_finished());
    drop(full);
    assert_eq!(publisher.await.expect("no panic").expect("published").subscribers, 1);
}

#[tokio::test]
async fn a_publish_given_up_while_it_waits_is_not_delivered_and_passes_the_room_on() {
    let bus = waiting(1);
    let mut stream = subscribe::<i32>(&bus, "n").await;
    bus.publish("n", 0).await.expect("room");
    let mut given_up = Box::pin(bus.publish("n", 1));
    assert!(poll_once(given_up.as_mut()).is_pending());
    let next = tokio::spawn({
        let bus = bus.clone();
        async move { bus.publish("n", 2).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(payload(&mut stream).await, 0);
    drop(given_up);
    next.await.expect("no panic").expect("published");
    assert_eq!(payload(&mut stream).await, 2);
    assert!(ready(&mut stream).is_none());
}

#[tokio::test]
async fn a_stream_that_is_just_ahead_lets_other_tasks_run_and_loses_nothing() {
    let bus = waiting(1_000);
    let (mut alone, mut member) =
        (subscribe::<i32>(&bus, "n").await, bus.subscribe_group("n", "workers").await.expect("valid"));
    let mut pauses = [0; 2];
    for n in 0..200 {
        bus.publish("n", n).await.expect("published");
        for (stream, pauses) in [&mut alone, &mut member].into_iter().zip(&mut pauses) {
            // Who stood aside has woken itself, and gets the item when it is asked again.
            let got = ready(stream).or_else(|| {
                *pauses += 1;
                ready(stream)
            });
            assert_eq!(got.expect("is there").expect("an item"), n);
        }
    }
    assert_eq!(pauses, [200 - 64, 0], "members of a group take one at a time in any case");
    // An empty queue is a rest: whoever comes one at a time is not slowed down.
    assert!(ready(&mut alone).is_none());
    bus.publish("n", 200).await.expect("published");
    assert!(ready(&mut alone).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publishers_and_a_tiny_queue_lose_nothing() {
    let bus = waiting(3);
    let mut stream = subscribe::<i32>(&bus, "n.*").await;
    let publishers: Vec<_> = (0..8)
        .map(|publisher| {
            let bus = bus.clone();
            tokio::spawn(async move {
                for n in 0..2_000 {
                    bus.send(Message::to(subject!("n.x"), publisher * 10_000 + n)).await.expect("published");
                }
            })
        })
        .collect();
    let mut next = [0; 8];
    for _ in 0..16_000 {
        let got = payload(&mut stream).await;
        let (publisher, n) = (usize::try_from(got / 10_000).expect("small"), got % 10_000);
        assert_eq!(next[publisher], n, "in the order of each publisher");
        next[publisher] += 1;
    }
    for publisher in publishers {
        publisher.await.expect("no panic");
    }
}
