//! Unsettled messages come again, when they should and as often as they should.

use std::time::Duration;

use flux_core::header;
use flux_mem::ConsumerConfig;
use tokio::time::Instant;

use crate::{listen, put, put_with_id, seconds_since, stream, take, take_within_an_hour, text};

#[tokio::test(start_paused = true)]
async fn unsettled_comes_again_after_thirty_seconds_with_a_count() {
    let stream = stream();
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d")).unwrap()).await;
    put_with_id(&stream, "one").await;
    let start = Instant::now();
    for delivered in 1..=3 {
        let taken = take(&mut deliveries).await;
        assert_eq!(seconds_since(start), 30 * (delivered - 1));
        assert_eq!(taken.metadata.delivered, Some(delivered));
        assert_eq!(taken.metadata.consumer_sequence, Some(delivered));
        assert_eq!(taken.metadata.sequence, Some(1));
        assert_eq!(taken.metadata.stream.as_deref(), Some("orders"));
        assert_eq!(taken.message.headers.get(&header::MESSAGE_ID), Some("one"));
    }
}

#[tokio::test(start_paused = true)]
async fn ack_and_term_end_it() {
    let stream = stream();
    let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
    let mut deliveries = listen(&consumer).await;
    put(&stream, "orders.a", "acked").await.unwrap();
    put(&stream, "orders.b", "termed").await.unwrap();
    take(&mut deliveries).await.ack().await.unwrap();
    take(&mut deliveries).await.term("no use").await.unwrap();
    assert!(take_within_an_hour(&mut deliveries).await.is_none());
    assert_eq!(consumer.info().unwrap().ack_pending, 0);
}

#[tokio::test(start_paused = true)]
async fn nak_comes_again_at_once_or_after_its_delay() {
    let stream = stream();
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d")).unwrap()).await;
    put(&stream, "orders.a", "x").await.unwrap();
    let start = Instant::now();
    take(&mut deliveries).await.nak().await.unwrap();
    let again = take(&mut deliveries).await;
    assert_eq!((start.elapsed(), again.metadata.delivered), (Duration::ZERO, Some(2)));
    again.nak_after(Duration::from_secs(77)).await.unwrap();
    let third = take(&mut deliveries).await;
    assert_eq!((seconds_since(start), third.metadata.delivered), (77, Some(3)));
}

#[tokio::test(start_paused = true)]
async fn a_nak_with_a_delay_lets_others_pass() {
    let stream = stream();
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d")).unwrap()).await;
    for name in ["poison", "good", "better"] {
        put(&stream, "orders.a", name).await.unwrap();
    }
    take(&mut deliveries).await.nak_after(Duration::from_secs(5)).await.unwrap();
    let mut order = Vec::new();
    for _ in 0..3 {
        let taken = take(&mut deliveries).await;
        order.push(text(&taken));
        taken.ack().await.unwrap();
    }
    assert_eq!(order, ["good", "better", "poison"]);
}

#[tokio::test(start_paused = true)]
async fn progress_starts_the_time_anew() {
    let stream = stream();
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d")).unwrap()).await;
    put(&stream, "orders.a", "x").await.unwrap();
    let start = Instant::now();
    let taken = take(&mut deliveries).await;
    for _ in 0..4 {
        tokio::time::advance(Duration::from_secs(20)).await;
        taken.progress().await.unwrap();
    }
    assert_eq!(take(&mut deliveries).await.metadata.delivered, Some(2));
    assert_eq!(seconds_since(start), 110);
}

#[tokio::test(start_paused = true)]
async fn after_max_deliver_it_is_given_up_but_stays_in_the_stream() {
    let stream = stream();
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_max_deliver(3)).unwrap();
    let mut deliveries = listen(&consumer).await;
    put(&stream, "orders.a", "x").await.unwrap();
    for delivered in 1..=3 {
        let taken = take(&mut deliveries).await;
        assert_eq!((taken.metadata.delivered, taken.metadata.max_deliver), (Some(delivered), Some(3)));
        taken.nak().await.unwrap();
    }
    assert!(take_within_an_hour(&mut deliveries).await.is_none());
    assert_eq!((consumer.info().unwrap().given_up, stream.info().messages), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn backoff_takes_the_place_of_the_ack_wait() {
    let stream = stream();
    let steps = [1, 10].map(Duration::from_secs);
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d").with_backoff(steps)).unwrap()).await;
    put(&stream, "orders.a", "x").await.unwrap();
    let start = Instant::now();
    for expected in [0, 1, 11, 21] {
        drop(take(&mut deliveries).await);
        assert_eq!(seconds_since(start), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_ack_of_an_earlier_delivery_counts() {
    let stream = stream();
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d")).unwrap()).await;
    put(&stream, "orders.a", "x").await.unwrap();
    let first = take(&mut deliveries).await;
    let second = take(&mut deliveries).await;
    first.ack().await.unwrap();
    second.nak().await.unwrap();
    assert!(take_within_an_hour(&mut deliveries).await.is_none(), "it was acked before it was nakked");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_subscription_settles_nothing_and_a_durable_goes_on() {
    let stream = stream();
    let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
    for number in 1..=3 {
        put(&stream, "orders.a", &number.to_string()).await.unwrap();
    }
    let mut deliveries = listen(&consumer).await;
    take(&mut deliveries).await.ack().await.unwrap();
    let _unsettled = take(&mut deliveries).await;
    drop((deliveries, consumer));
    let mut again = listen(&stream.consumer(ConsumerConfig::durable("d")).unwrap()).await;
    let third = take(&mut again).await;
    assert_eq!((text(&third), third.metadata.delivered), ("3".into(), Some(1)));
    third.ack().await.unwrap();
    let second = take(&mut again).await;
    assert_eq!((text(&second), second.metadata.delivered), ("2".into(), Some(2)));
}
