//! What a stream does, whichever it is. That something does not come is shown by what comes after it.

use std::time::{Duration, SystemTime};

use flux_core::{Acker as _, Bytes, Consumer as _, ErrorKind, Message, Publisher as _, Result};
use tokio::time::sleep;

use super::{Consumer, ConsumerConfig, DeliverPolicy, Discard, Retention, Stream, StreamConfig, consumer, open};

/// Long enough for anything that is to come.
const LONG: Duration = Duration::from_secs(10);

fn config() -> StreamConfig {
    StreamConfig::new("orders", ["orders.>"])
}

fn durable() -> ConsumerConfig {
    ConsumerConfig::durable("work")
}

async fn put(stream: &Stream, subject: &str) -> Result<u64> {
    Ok(stream.publish(subject, Bytes::copy_from_slice(subject.as_bytes())).await?.sequence)
}

/// Takes one, and tells its place and how often it was delivered.
async fn take(consumer: &Consumer) -> (u64, u64, impl flux_core::Acker + use<>) {
    let delivery = consumer.fetch(1, LONG).await.unwrap().pop().expect("one comes").unwrap();
    (delivery.metadata.sequence.unwrap(), delivery.metadata.delivered.unwrap(), delivery.acker)
}

/// Takes and acknowledges everything up to a last message, and tells the places.
async fn rest(stream: &Stream, consumer: &Consumer) -> Vec<u64> {
    let last = put(stream, "orders.last").await.unwrap();
    let mut places = Vec::new();
    loop {
        let (place, _, acker) = take(consumer).await;
        acker.ack().await.unwrap();
        if place == last {
            return places;
        }
        places.push(place);
    }
}

#[tokio::test]
async fn each_policy_begins_where_it_says() {
    let (stream, _here) = open(config()).await;
    for subject in ["orders.a", "orders.b", "orders.a", "orders.c"] {
        put(&stream, subject).await.unwrap();
        // So that no two have the same time.
        sleep(Duration::from_millis(3)).await;
    }
    let all = consumer(&stream, durable()).await.unwrap();
    let batch = all.fetch(4, LONG).await.unwrap();
    let third: SystemTime = batch[2].as_ref().unwrap().metadata.time.unwrap();
    let policies = [
        (DeliverPolicy::All, vec![1, 2, 3, 4]),
        (DeliverPolicy::Last, vec![4]),
        (DeliverPolicy::LastPerSubject, vec![2, 3, 4]),
        (DeliverPolicy::New, vec![]),
        (DeliverPolicy::FromSequence(2), vec![2, 3, 4]),
        (DeliverPolicy::FromTime(third), vec![3, 4]),
    ];
    let mut consumers = Vec::new();
    for (number, (policy, expected)) in policies.into_iter().enumerate() {
        let config = ConsumerConfig::durable(format!("c{number}")).with_filter("orders.>").with_deliver_policy(policy);
        consumers.push((consumer(&stream, config).await.unwrap(), expected));
    }
    for (nth, (consumer, mut expected)) in consumers.into_iter().enumerate() {
        // What ended the others is there for this one, too.
        expected.extend((5..).take(nth));
        assert_eq!(rest(&stream, &consumer).await, expected, "policy {nth}");
    }
}

#[tokio::test]
async fn what_is_over_the_limit_goes_or_is_refused() {
    let (stream, _here) = open(config().with_max_messages(3)).await;
    for _ in 0..4 {
        put(&stream, "orders.a").await.unwrap();
    }
    let consumer = consumer(&stream, durable()).await.unwrap();
    assert_eq!(rest(&stream, &consumer).await, [3, 4]);

    let (stream, _here) = open(config().with_max_messages(2).with_discard(Discard::New)).await;
    assert_eq!([put(&stream, "orders.a").await.unwrap(), put(&stream, "orders.b").await.unwrap()], [1, 2]);
    assert_eq!(put(&stream, "orders.c").await.unwrap_err().kind(), ErrorKind::Full);
}

#[tokio::test]
async fn of_each_subject_so_many_are_kept() {
    let (stream, _here) = open(config().with_max_messages_per_subject(1)).await;
    for subject in ["orders.a", "orders.a", "orders.b", "orders.a"] {
        put(&stream, subject).await.unwrap();
    }
    let consumer = consumer(&stream, durable()).await.unwrap();
    assert_eq!(rest(&stream, &consumer).await, [3, 4]);
}

#[tokio::test]
async fn what_the_stream_does_not_take_is_refused() {
    let (stream, _here) = open(config().with_max_message_bytes(200)).await;
    assert_eq!(put(&stream, "bills.a").await.unwrap_err().kind(), ErrorKind::Rejected);
    let large = Message::new("orders.a", Bytes::from(vec![b'x'; 400])).unwrap();
    assert_eq!(stream.send(large).await.unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(put(&stream, "orders.a").await.unwrap(), 1, "what was refused left nothing");
}

#[tokio::test]
async fn an_id_is_stored_once_within_the_window() {
    let (stream, _here) = open(config().with_duplicate_window(Duration::from_secs(2))).await;
    let send = async |id: &str| {
        let receipt = stream.send(Message::new("orders.a", Bytes::new()).unwrap().with_id(id).unwrap()).await.unwrap();
        (receipt.sequence, receipt.duplicate)
    };
    assert_eq!([send("a").await, send("a").await, send("b").await], [(1, false), (1, true), (2, false)]);
    let again = async {
        loop {
            sleep(Duration::from_millis(50)).await;
            let (sequence, duplicate) = send("a").await;
            if !duplicate {
                return sequence;
            }
        }
    };
    assert_eq!(tokio::time::timeout(LONG, again).await.expect("the window ends"), 3);
}

#[tokio::test]
async fn a_work_queue_keeps_what_is_not_done_for_one_consumer() {
    let (stream, _here) = open(config().with_retention(Retention::WorkQueue)).await;
    for _ in 0..3 {
        put(&stream, "orders.a").await.unwrap();
    }
    let first = consumer(&stream, durable().with_filter("orders.>")).await.unwrap();
    let (place, _, acker) = take(&first).await;
    acker.ack().await.unwrap();
    assert_eq!(place, 1);
    let second = consumer(&stream, ConsumerConfig::durable("other").with_filter("orders.a")).await;
    assert_eq!(second.map(drop).unwrap_err().kind(), ErrorKind::Rejected, "two would take each other's");
    assert_eq!(rest(&stream, &first).await, [2, 3]);
}

#[tokio::test]
async fn interest_keeps_what_somebody_waits_for() {
    let (stream, _here) = open(config().with_retention(Retention::Interest)).await;
    put(&stream, "orders.a").await.unwrap();
    let first = consumer(&stream, durable()).await.unwrap();
    put(&stream, "orders.b").await.unwrap();
    assert_eq!(rest(&stream, &first).await, [2], "nobody had asked for the first");
}

#[tokio::test]
async fn what_is_nakked_or_dropped_comes_again_until_it_is_given_up() {
    let (stream, _here) = open(config()).await;
    put(&stream, "orders.a").await.unwrap();
    let config = durable().with_ack_wait(Duration::from_secs(2)).with_max_deliver(3);
    let consumer = consumer(&stream, config).await.unwrap();
    let (place, delivered, acker) = take(&consumer).await;
    assert_eq!((place, delivered), (1, 1));
    acker.nak(None).await.unwrap();
    let (place, delivered, unsettled) = take(&consumer).await;
    assert_eq!((place, delivered), (1, 2));
    let (place, delivered, acker) = take(&consumer).await;
    assert_eq!((place, delivered), (1, 3), "its time was over");
    drop(unsettled);
    acker.nak(None).await.unwrap();
    assert_eq!(rest(&stream, &consumer).await, [0_u64; 0], "three attempts were allowed");
}

#[tokio::test]
async fn a_delay_lets_others_pass_and_term_is_the_end() {
    let (stream, _here) = open(config()).await;
    for subject in ["orders.a", "orders.b", "orders.c"] {
        put(&stream, subject).await.unwrap();
    }
    let consumer = consumer(&stream, durable()).await.unwrap();
    let (_, _, first) = take(&consumer).await;
    first.nak(Some(Duration::from_secs(2))).await.unwrap();
    let (place, _, second) = take(&consumer).await;
    second.term("of no use").await.unwrap();
    let (other, _, third) = take(&consumer).await;
    third.ack().await.unwrap();
    assert_eq!((place, other), (2, 3));
    let (place, delivered, again) = take(&consumer).await;
    again.ack().await.unwrap();
    assert_eq!((place, delivered), (1, 2));
    assert_eq!(rest(&stream, &consumer).await, [0_u64; 0]);
}

#[tokio::test]
async fn steps_take_the_place_of_the_ack_wait() {
    let (stream, _here) = open(config()).await;
    put(&stream, "orders.a").await.unwrap();
    let steps = [Duration::from_millis(100), Duration::from_secs(60)];
    let consumer = consumer(&stream, durable().with_max_deliver(5).with_backoff(steps)).await.unwrap();
    let (_, _, first) = take(&consumer).await;
    let (place, delivered, second) = take(&consumer).await;
    assert_eq!((place, delivered), (1, 2), "after the first step");
    assert_eq!(rest(&stream, &consumer).await, [0_u64; 0], "the second step is a minute");
    drop((first, second));
}

#[tokio::test]
async fn no_more_are_out_than_may_be() {
    let (stream, _here) = open(config()).await;
    for _ in 0..4 {
        put(&stream, "orders.a").await.unwrap();
    }
    let consumer = consumer(&stream, durable().with_max_ack_pending(2)).await.unwrap();
    let mut batch = consumer.fetch(4, Duration::from_secs(2)).await.unwrap();
    assert_eq!(batch.len(), 2);
    batch.pop().unwrap().unwrap().ack().await.unwrap();
    let (place, _, third) = take(&consumer).await;
    assert_eq!(place, 3, "there is room for one");
    third.ack().await.unwrap();
    batch.pop().unwrap().unwrap().ack().await.unwrap();
    assert_eq!(rest(&stream, &consumer).await, [4]);
}

#[tokio::test]
async fn progress_keeps_a_message_from_coming_again() {
    let (stream, _here) = open(config()).await;
    put(&stream, "orders.a").await.unwrap();
    let consumer = consumer(&stream, durable().with_ack_wait(Duration::from_secs(2))).await.unwrap();
    let (_, _, acker) = take(&consumer).await;
    for _ in 0..3 {
        sleep(Duration::from_millis(900)).await;
        acker.progress().await.unwrap();
    }
    assert_eq!(rest(&stream, &consumer).await, [0_u64; 0], "its time was over but for the progress");
    acker.ack().await.unwrap();
}

#[tokio::test]
async fn a_durable_consumer_goes_on_where_it_was() {
    let (stream, _here) = open(config()).await;
    for _ in 0..3 {
        put(&stream, "orders.a").await.unwrap();
    }
    {
        let before = consumer(&stream, durable()).await.unwrap();
        let (_, _, acker) = take(&before).await;
        acker.ack().await.unwrap();
    }
    let differs = consumer(&stream, durable().with_ack_wait(Duration::from_secs(7))).await.map(drop).unwrap_err();
    assert_eq!(differs.kind(), ErrorKind::InvalidInput);
    assert!(differs.to_string().contains("ack_wait"), "{differs}");
    let after = consumer(&stream, durable()).await.unwrap();
    assert_eq!(rest(&stream, &after).await, [2, 3]);
}
