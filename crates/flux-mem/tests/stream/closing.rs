//! Closing waits for what can still be settled, and for nothing else.

use std::time::Duration;

use flux_core::{Consumer as _, next};
use flux_mem::{ConsumerConfig, DeliverPolicy, Mem, MemStream};
use tokio::time::Instant;

use crate::{config, listen, put, seconds_since, stream, take, take_within_an_hour};

/// How many seconds it takes to close; fails when it takes more than a day of the paused clock.
async fn close(stream: &MemStream) -> u64 {
    let start = Instant::now();
    let day = Duration::from_secs(24 * 3600);
    tokio::time::timeout(day, stream.close()).await.expect("closing never ended");
    seconds_since(start)
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_what_is_given_up() {
    let stream = stream();
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_max_deliver(1)).unwrap();
    let mut deliveries = listen(&consumer).await;
    for name in ["forgotten", "nakked", "delayed"] {
        put(&stream, "orders.a", name).await.unwrap();
    }
    drop(take(&mut deliveries).await);
    take(&mut deliveries).await.nak().await.unwrap();
    take(&mut deliveries).await.nak_after(Duration::from_secs(40)).await.unwrap();
    assert_eq!(close(&stream).await, 40, "nobody polls the subscription meanwhile");
    assert_eq!(consumer.info().unwrap().given_up, 3);
    assert!(take_within_an_hour(&mut deliveries).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_what_is_too_old() {
    let stream = Mem::stream(config().with_max_age(Duration::from_secs(60))).unwrap();
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_ack_wait(Duration::from_secs(7200))).unwrap();
    let mut deliveries = listen(&consumer).await;
    put(&stream, "orders.a", "unsettled").await.unwrap();
    put(&stream, "orders.a", "not delivered").await.unwrap();
    let _unsettled = take(&mut deliveries).await;
    assert_eq!(close(&stream).await, 60);
    assert!(take_within_an_hour(&mut deliveries).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_when_the_last_message_is_too_old() {
    let stream = Mem::stream(config().with_max_age(Duration::from_secs(60))).unwrap();
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_ack_wait(Duration::from_secs(7200))).unwrap();
    let mut deliveries = listen(&consumer).await;
    put(&stream, "orders.a", "unsettled").await.unwrap();
    let _unsettled = take(&mut deliveries).await;
    let closing = tokio::spawn({
        let stream = stream.clone();
        async move { close(&stream).await }
    });
    let ended = tokio::time::timeout(Duration::from_secs(3600), next(std::pin::Pin::new(&mut deliveries))).await;
    assert!(matches!(ended, Ok(None)), "it waits for what is gone");
    assert_eq!(closing.await.unwrap(), 60);
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_subscriptions_that_ended() {
    let stream = stream();
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_max_deliver(2)).unwrap();
    for name in ["forgotten", "acked", "termed"] {
        put(&stream, "orders.a", name).await.unwrap();
    }
    let mut deliveries = listen(&consumer).await;
    drop(take(&mut deliveries).await);
    take(&mut deliveries).await.ack().await.unwrap();
    take(&mut deliveries).await.term("no use").await.unwrap();
    let kept = tokio::spawn(async move {
        while let Some(taken) = next(std::pin::Pin::new(&mut deliveries)).await {
            drop(taken.unwrap());
        }
        // It ended, but nobody drops it.
        deliveries
    });
    assert_eq!(close(&stream).await, 60);
    drop(kept.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_what_is_removed_meanwhile() {
    for how in ["purge", "delete", "drop"] {
        let stream = stream();
        let consumer = stream.consumer(ConsumerConfig::durable("d").with_max_ack_pending(1)).unwrap();
        let mut deliveries = listen(&consumer).await;
        put(&stream, "orders.a", "unsettled").await.unwrap();
        put(&stream, "orders.a", "not delivered").await.unwrap();
        let _unsettled = take(&mut deliveries).await;
        let closing = tokio::spawn({
            let stream = stream.clone();
            async move { close(&stream).await }
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!closing.is_finished());
        match how {
            "purge" => drop(stream.purge(">").unwrap()),
            "delete" => assert!(stream.delete_consumer("d")),
            _ => drop(deliveries),
        }
        assert_eq!(closing.await.unwrap(), 5, "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_a_place_that_never_comes() {
    let stream = stream();
    let from_ten = ConsumerConfig::durable("d").with_deliver_policy(DeliverPolicy::FromSequence(10));
    let mut deliveries = listen(&stream.consumer(from_ten).unwrap()).await;
    put(&stream, "orders.a", "x").await.unwrap();
    let settle = tokio::spawn(async move {
        while let Some(taken) = next(std::pin::Pin::new(&mut deliveries)).await {
            taken.unwrap().ack().await.unwrap();
        }
    });
    assert_eq!(close(&stream).await, 0);
    settle.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_waits_ends_with_an_error_that_says_what_ended() {
    let stream = stream();
    let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
    let fetching = tokio::spawn({
        let consumer = consumer.clone();
        async move { consumer.fetch(1, Duration::from_secs(60)).await.unwrap_err() }
    });
    tokio::task::yield_now().await;
    assert_eq!(close(&stream).await, 0);
    let error = fetching.await.unwrap();
    assert!(error.to_string().contains("the stream is closed"), "{error}");
}
