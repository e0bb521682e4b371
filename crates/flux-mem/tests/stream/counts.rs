//! What streams, consumers and deliveries say about themselves is true at every moment.

use std::time::Duration;

use bytes::Bytes;
use flux_core::{Consumer as _, Failure, Message, Outstanding, Subscriber as _};
use flux_mem::{ConsumerConfig, DeliverPolicy, Mem, MemConsumer};

use crate::{config, listen, put, stream, take};

/// Pending, waiting for settlement, delivered, delivered again, given up.
#[track_caller]
fn counts(consumer: &MemConsumer) -> (u64, usize, u64, u64, u64) {
    let info = consumer.info().unwrap();
    (info.pending, info.ack_pending, info.delivered, info.redelivered, info.given_up)
}

#[tokio::test(start_paused = true)]
async fn of_a_message_from_publishing_to_giving_up() {
    let stream = stream();
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_max_deliver(2)).unwrap();
    for _ in 0..2 {
        put(&stream, "orders.a", "x").await.unwrap();
    }
    assert_eq!(counts(&consumer), (2, 0, 0, 0, 0));
    let mut deliveries = listen(&consumer).await;
    let first = take(&mut deliveries).await;
    assert_eq!((first.metadata.pending, first.metadata.consumer_sequence), (Some(1), Some(1)));
    assert_eq!(counts(&consumer), (1, 1, 1, 0, 0));
    first.nak().await.unwrap();
    assert_eq!(counts(&consumer), (1, 1, 1, 0, 0), "it waits for its second delivery");
    let again = take(&mut deliveries).await;
    assert_eq!((again.metadata.delivered, again.metadata.consumer_sequence), (Some(2), Some(2)));
    assert_eq!(again.metadata.pending, Some(1));
    assert_eq!(counts(&consumer), (1, 1, 2, 1, 0));
    again.nak().await.unwrap();
    assert_eq!(counts(&consumer), (1, 0, 2, 1, 1));
    let second = take(&mut deliveries).await;
    assert_eq!(second.metadata.pending, Some(0));
    second.ack().await.unwrap();
    assert_eq!(counts(&consumer), (0, 0, 3, 1, 1));
    assert_eq!(stream.info().messages, 2);
}

#[tokio::test(start_paused = true)]
async fn of_what_is_too_old_without_anybody_looking() {
    let stream = Mem::stream(config().with_max_age(Duration::from_secs(60))).unwrap();
    let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
    for _ in 0..2 {
        put(&stream, "orders.a", "x").await.unwrap();
    }
    let mut deliveries = listen(&consumer).await;
    let _unsettled = take(&mut deliveries).await;
    let backlog = MemConsumer::backlog(&deliveries).unwrap();
    assert_eq!(backlog.outstanding().await.unwrap(), Outstanding::Unsettled(2));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(backlog.outstanding().await.unwrap(), Outstanding::Unsettled(0));
    put(&stream, "orders.a", "x").await.unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(counts(&consumer), (0, 0, 1, 0, 0));
    put(&stream, "orders.a", "x").await.unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(stream.purge(">").unwrap(), 0);
    put(&stream, "orders.a", "x").await.unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    let nothing = |_: Message<Bytes>| async { Ok::<(), Failure>(()) };
    assert_eq!(stream.replay(">", DeliverPolicy::All, nothing).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn of_what_is_purged_before_during_and_after_its_delivery() {
    let stream = stream();
    let newest = ConsumerConfig::durable("newest").with_deliver_policy(DeliverPolicy::LastPerSubject);
    for subject in ["orders.a", "orders.b", "orders.c", "orders.b"] {
        put(&stream, subject, "x").await.unwrap();
    }
    let (all, newest) = (stream.consumer(ConsumerConfig::durable("all")).unwrap(), stream.consumer(newest).unwrap());
    assert_eq!((counts(&all).0, counts(&newest).0), (4, 3));
    let taken = all.fetch(2, Duration::ZERO).await.unwrap();
    let other = newest.fetch(1, Duration::ZERO).await.unwrap();
    assert_eq!(stream.purge("orders.b").unwrap(), 2);
    assert_eq!((counts(&all), counts(&newest)), ((1, 1, 2, 0, 0), (1, 1, 1, 0, 0)));
    for delivery in taken.into_iter().chain(other) {
        delivery.unwrap().ack().await.unwrap();
    }
    assert_eq!((counts(&all), counts(&newest)), ((1, 0, 2, 0, 0), (1, 0, 1, 0, 0)));
    assert_eq!(stream.purge(">").unwrap(), 2);
    assert_eq!((counts(&all), counts(&newest)), ((0, 0, 2, 0, 0), (0, 0, 1, 0, 0)));
    assert_eq!((stream.info().first_sequence, stream.info().last_sequence, stream.info().bytes), (5, 4, 0));
}

#[tokio::test(start_paused = true)]
async fn of_each_deliver_policy() {
    let stream = stream();
    for subject in ["orders.a", "orders.b", "orders.a"] {
        put(&stream, subject, "x").await.unwrap();
    }
    let time = take(&mut stream.subscribe(">").await.unwrap()).await.metadata.time.unwrap();
    for (policy, pending) in [
        (DeliverPolicy::All, 3),
        (DeliverPolicy::New, 0),
        (DeliverPolicy::Last, 1),
        (DeliverPolicy::LastPerSubject, 2),
        (DeliverPolicy::FromSequence(2), 2),
        (DeliverPolicy::FromSequence(9), 0),
        (DeliverPolicy::FromTime(time), 3),
    ] {
        let consumer = stream.consumer(ConsumerConfig::ephemeral().with_deliver_policy(policy)).unwrap();
        assert_eq!(counts(&consumer).0, pending, "{policy:?}");
        let batch = consumer.fetch(10, Duration::ZERO).await.unwrap();
        assert_eq!(u64::try_from(batch.len()).unwrap(), pending, "{policy:?}");
        let none = ConsumerConfig::ephemeral().with_deliver_policy(policy).with_filter("orders.none");
        assert_eq!(counts(&stream.consumer(none).unwrap()).0, 0, "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_nak_that_comes_before_a_sign_of_progress() {
    let stream = stream();
    let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
    put(&stream, "orders.a", "x").await.unwrap();
    let mut deliveries = listen(&consumer).await;
    let slow = take(&mut deliveries).await;
    let other = take(&mut deliveries).await;
    other.nak().await.unwrap();
    slow.progress().await.unwrap();
    let batch = consumer.fetch(1, Duration::ZERO).await.unwrap();
    assert_eq!(batch.len(), 1, "progress does not take back a nak");
}

#[tokio::test(start_paused = true)]
async fn of_a_sign_of_progress_that_comes_too_late() {
    let stream = stream();
    let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
    put(&stream, "orders.a", "x").await.unwrap();
    let taken = take(&mut listen(&consumer).await).await;
    tokio::time::advance(Duration::from_secs(30)).await;
    taken.progress().await.unwrap();
    assert_eq!(consumer.fetch(1, Duration::ZERO).await.unwrap().len(), 1, "its time was over");
}
