//! Who gets what: filters, deliver policies, members, batches, replay, close.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flux_core::{Consumer as _, ErrorKind, Failure, Message, QueueSubscriber as _, Subscriber as _, next};
use flux_mem::{ConsumerConfig, DeliverPolicy, Mem, MemStream, Retention};
use tokio::time::Instant;

use crate::{config, listen, put, seconds_since, stream, take, take_within_an_hour, text};

async fn filled() -> MemStream {
    let stream = stream();
    for (subject, name) in [("orders.a", "1"), ("orders.b", "2"), ("orders.a", "3"), ("orders.c", "4")] {
        put(&stream, subject, name).await.unwrap();
    }
    stream
}

/// Everything a new consumer gets, acked.
async fn all(stream: &MemStream, config: ConsumerConfig) -> Vec<String> {
    let mut deliveries = listen(&stream.consumer(config).unwrap()).await;
    let mut texts = Vec::new();
    while let Some(taken) = take_within_an_hour(&mut deliveries).await {
        texts.push(text(&taken));
        taken.ack().await.unwrap();
    }
    texts
}

#[tokio::test(start_paused = true)]
async fn each_deliver_policy_begins_where_it_says() {
    let stream = filled().await;
    let with = |policy| ConsumerConfig::ephemeral().with_deliver_policy(policy);
    assert_eq!(all(&stream, with(DeliverPolicy::All)).await, ["1", "2", "3", "4"]);
    assert_eq!(all(&stream, with(DeliverPolicy::Last)).await, ["4"]);
    assert_eq!(all(&stream, with(DeliverPolicy::LastPerSubject)).await, ["2", "3", "4"]);
    assert_eq!(all(&stream, with(DeliverPolicy::New)).await, [""; 0]);
    assert_eq!(all(&stream, with(DeliverPolicy::FromSequence(3))).await, ["3", "4"]);
    assert_eq!(all(&stream, with(DeliverPolicy::Last).with_filter("orders.a")).await, ["3"]);
    let filtered = with(DeliverPolicy::All).with_filter("orders.a").with_filter("orders.c");
    assert_eq!(all(&stream, filtered).await, ["1", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn from_time_begins_at_what_was_stored_then_or_later() {
    let stream = stream();
    put(&stream, "orders.a", "before").await.unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    put(&stream, "orders.a", "after").await.unwrap();
    let mut probe = stream.subscribe(">").await.unwrap();
    drop(take(&mut probe).await);
    let time = take(&mut probe).await.metadata.time.unwrap();
    let from = |time: SystemTime| ConsumerConfig::ephemeral().with_deliver_policy(DeliverPolicy::FromTime(time));
    assert_eq!(all(&stream, from(time - Duration::from_secs(30))).await, ["after"]);
    assert_eq!(all(&stream, from(time)).await, ["after"]);
    assert_eq!(all(&stream, from(time + Duration::from_millis(1))).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_new_consumer_gets_what_comes() {
    let stream = filled().await;
    let config = ConsumerConfig::ephemeral().with_deliver_policy(DeliverPolicy::New);
    let mut deliveries = listen(&stream.consumer(config).unwrap()).await;
    put(&stream, "orders.a", "5").await.unwrap();
    assert_eq!(text(&take(&mut deliveries).await), "5");
}

#[tokio::test(start_paused = true)]
async fn members_of_a_group_share_and_others_get_all() {
    let stream = filled().await;
    let mut one = stream.subscribe_group("orders.>", "group").await.unwrap();
    let mut two = stream.subscribe_group("orders.>", "group").await.unwrap();
    let mut outsider = stream.subscribe("orders.>").await.unwrap();
    let mut shared = Vec::new();
    for _ in 0..2 {
        shared.push(text(&take(&mut one).await));
        shared.push(text(&take(&mut two).await));
    }
    assert_eq!(shared, ["1", "2", "3", "4"]);
    for expected in ["1", "2", "3", "4"] {
        assert_eq!(text(&take(&mut outsider).await), expected);
    }
    let other = stream.subscribe_group("orders.a", "group").await.map(drop).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::InvalidInput);
    assert!(other.to_string().contains("filters"), "{other}");
}

#[tokio::test(start_paused = true)]
async fn max_ack_pending_stops_the_flow_until_one_is_settled() {
    let stream = filled().await;
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d").with_max_ack_pending(2)).unwrap()).await;
    let first = take(&mut deliveries).await;
    let _second = take(&mut deliveries).await;
    let start = Instant::now();
    let ack_soon = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        first.ack().await.unwrap();
    };
    let (third, ()) = tokio::join!(take(&mut deliveries), ack_soon);
    assert_eq!((text(&third), seconds_since(start)), ("3".into(), 3));
}

#[tokio::test(start_paused = true)]
async fn fetch_returns_what_there_is_when_its_time_is_up() {
    let stream = filled().await;
    let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
    let start = Instant::now();
    let batch = consumer.fetch(3, Duration::from_secs(5)).await.unwrap();
    assert_eq!((batch.len(), start.elapsed()), (3, Duration::ZERO));
    let batch = consumer.fetch(3, Duration::from_secs(5)).await.unwrap();
    assert_eq!((batch.len(), seconds_since(start)), (1, 5));
    assert!(consumer.fetch(3, Duration::from_secs(5)).await.unwrap().is_empty());
    assert_eq!(consumer.fetch(0, Duration::ZERO).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(consumer.fetch(9, Duration::from_secs(45)).await.unwrap().len(), 4, "none was settled");
    assert!(stream.delete_consumer("d"));
    assert_eq!(consumer.fetch(1, Duration::ZERO).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_ephemeral_consumer_is_gone_with_its_last_handle() {
    let stream = filled().await;
    let deliveries = stream.subscribe("orders.>").await.unwrap();
    assert_eq!(stream.info().consumers, 1);
    drop(deliveries);
    assert_eq!(stream.info().consumers, 0);
}

#[tokio::test(start_paused = true)]
async fn replay_reads_history_up_to_now_and_moves_nobody() {
    let stream = filled().await;
    let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (kept, publishing) = (Arc::clone(&seen), stream.clone());
    let read = move |message: Message<Bytes>| {
        let (seen, stream) = (Arc::clone(&kept), publishing.clone());
        async move {
            put(&stream, "orders.a", "later").await?;
            seen.lock().unwrap().push(message.payload);
            Ok::<(), Failure>(())
        }
    };
    assert_eq!(stream.replay("orders.a", DeliverPolicy::FromSequence(2), read).await.unwrap(), 1);
    assert_eq!(*seen.lock().unwrap(), ["3"]);
    assert_eq!(consumer.info().unwrap().delivered, 0);
    let fail = |_: Message<Bytes>| async { Err::<(), _>(Failure::retry("enough")) };
    assert!(stream.replay(">", DeliverPolicy::All, fail).await.is_err());
    let ok = |_: Message<Bytes>| async { Ok::<(), Failure>(()) };
    assert_eq!(stream.replay("orders.*", DeliverPolicy::LastPerSubject, ok).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn close_hands_over_what_is_left_and_then_ends() {
    let stream = filled().await;
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d")).unwrap()).await;
    let closing = tokio::spawn({
        let stream = stream.clone();
        async move { stream.close().await }
    });
    tokio::task::yield_now().await;
    assert_eq!(put(&stream, "orders.a", "5").await.unwrap_err().kind(), ErrorKind::Closed);
    for _ in 0..4 {
        assert!(!closing.is_finished());
        take(&mut deliveries).await.ack().await.unwrap();
    }
    assert!(take_within_an_hour(&mut deliveries).await.is_none());
    closing.await.unwrap();
    assert_eq!(stream.subscribe(">").await.map(drop).unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_sleeps_while_there_is_work() {
    const EACH: u64 = 5_000;
    let stream = Mem::stream(config().with_retention(Retention::WorkQueue)).unwrap();
    // Two at a time for four members: each ack has to wake somebody. A wake that is lost costs thirty seconds.
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_max_ack_pending(2)).unwrap();
    let start = Instant::now();
    let members: Vec<_> = (0..4)
        .map(|member| {
            let consumer = consumer.clone();
            tokio::spawn(async move {
                let (mut handled, mut deliveries) = (0, listen(&consumer).await);
                while let Some(taken) = next(std::pin::Pin::new(&mut deliveries)).await {
                    let taken = taken.unwrap();
                    assert_eq!(taken.metadata.delivered, Some(1));
                    taken.ack().await.unwrap();
                    handled += 1;
                    if handled % 7 == member {
                        // Comes and goes, and takes nobody's wake along.
                        deliveries = listen(&consumer).await;
                    }
                    tokio::task::yield_now().await;
                }
                handled
            })
        })
        .collect();
    let publishers = (0..2).map(|_| {
        let stream = stream.clone();
        tokio::spawn(async move {
            for _ in 0..EACH {
                put(&stream, "orders.a", "x").await.unwrap();
            }
        })
    });
    for publisher in publishers.collect::<Vec<_>>() {
        publisher.await.unwrap();
    }
    stream.close().await;
    let mut handled = 0;
    for member in members {
        handled += member.await.unwrap();
    }
    assert_eq!((handled, stream.info().messages), (2 * EACH, 0));
    assert!(start.elapsed() < Duration::from_secs(29), "somebody slept: {:?}", start.elapsed());
}
