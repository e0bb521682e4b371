//! Limits, retention and the duplicate window.

use std::time::Duration;

use flux_core::{ErrorKind, Message, Publisher as _, Subscriber as _};
use flux_mem::{ConsumerConfig, Discard, Mem, Retention, StreamConfig};

use crate::{config, listen, put, put_with_id, stream, take, text};

#[tokio::test(start_paused = true)]
async fn it_takes_what_its_subjects_match_and_nothing_else() {
    let stream = Mem::stream(StreamConfig::new("mixed", ["orders.*.new", "invoices.>", "ping"])).unwrap();
    for subject in ["orders.a.new", "invoices.a", "invoices.a.b", "ping"] {
        put(&stream, subject, "x").await.unwrap();
    }
    for subject in ["orders.new", "orders.a.b.new", "orders.a.old", "invoices", "ping.a"] {
        assert_eq!(put(&stream, subject, "x").await.unwrap_err().kind(), ErrorKind::Rejected, "{subject}");
    }
    let config = ConsumerConfig::durable("d").with_filter("*.a.>").with_filter("ping");
    let mut deliveries = listen(&stream.consumer(config).unwrap()).await;
    for subject in ["orders.a.new", "invoices.a.b", "ping"] {
        assert_eq!(take(&mut deliveries).await.message.subject.as_str(), subject);
    }
    assert_eq!(stream.info().messages, 4);
}

#[tokio::test(start_paused = true)]
async fn limits_alone_hold_what_is_settled() {
    let stream = stream();
    put(&stream, "orders.a", "x").await.unwrap();
    for name in ["one", "two"] {
        let consumer = stream.consumer(ConsumerConfig::durable(name)).unwrap();
        take(&mut listen(&consumer).await).await.ack().await.unwrap();
    }
    assert!(stream.delete_consumer("one") && stream.delete_consumer("two"));
    assert_eq!(stream.info().messages, 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_stream_lets_go_of_the_oldest_or_refuses_the_newest() {
    let old = Mem::stream(config().with_max_messages(2)).unwrap();
    for number in 1..=5 {
        put(&old, "orders.a", &number.to_string()).await.unwrap();
    }
    let info = old.info();
    assert_eq!((info.messages, info.first_sequence, info.last_sequence), (2, 4, 5));
    assert!(old.get(3).is_none());
    assert_eq!(old.get(4).unwrap().payload, "4");

    let new = Mem::stream(config().with_max_messages(2).with_discard(Discard::New)).unwrap();
    put(&new, "orders.a", "1").await.unwrap();
    put(&new, "orders.a", "2").await.unwrap();
    let error = put(&new, "orders.a", "3").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Full, true));
    assert_eq!(new.info().last_sequence, 2);
}

#[tokio::test(start_paused = true)]
async fn bytes_are_limited_in_all_and_for_each() {
    // A message of "orders.a" and 92 bytes counts 100.
    let text = "x".repeat(92);
    let all = Mem::stream(config().with_max_bytes(250)).unwrap();
    for _ in 0..5 {
        put(&all, "orders.a", &text).await.unwrap();
    }
    assert_eq!((all.info().messages, all.info().bytes), (2, 200));
    // A limit on each counts headers and payload, as a server does.
    let each = Mem::stream(config().with_max_message_bytes(92)).unwrap();
    put(&each, "orders.a", &text).await.unwrap();
    let error = put(&each, "orders.a", &"x".repeat(93)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("93 bytes") && error.to_string().contains("92"), "{error}");
    // "NATS/1.0", "X-Message-ID: one" and an empty line, each with its line break.
    let message = |len: usize| Message::new("orders.a", "x".repeat(len).into()).unwrap().with_id("one").unwrap();
    assert_eq!(each.send(message(62)).await.unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(!each.send(message(61)).await.unwrap().duplicate);
}

#[tokio::test(start_paused = true)]
async fn a_subject_keeps_its_newest() {
    let stream = Mem::stream(config().with_max_messages_per_subject(1)).unwrap();
    for (subject, name) in [("orders.a", "1"), ("orders.b", "2"), ("orders.a", "3")] {
        put(&stream, subject, name).await.unwrap();
    }
    assert_eq!((stream.info().messages, stream.info().first_sequence), (2, 2));
    let mut deliveries = stream.subscribe(">").await.unwrap();
    assert_eq!(text(&take(&mut deliveries).await), "2");
    assert_eq!(text(&take(&mut deliveries).await), "3");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_gone_settled_or_not() {
    let stream = Mem::stream(config().with_max_age(Duration::from_secs(60))).unwrap();
    let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
    put(&stream, "orders.a", "1").await.unwrap();
    let _unsettled = take(&mut listen(&consumer).await).await;
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(stream.info().messages, 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(stream.info().messages, 0);
    assert_eq!((consumer.info().unwrap().pending, consumer.info().unwrap().ack_pending), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn interest_holds_a_message_until_every_consumer_has_settled_it() {
    let stream = Mem::stream(config().with_retention(Retention::Interest)).unwrap();
    put(&stream, "orders.a", "nobody wants it").await.unwrap();
    assert_eq!(stream.info().messages, 0);
    let one = stream.consumer(ConsumerConfig::durable("one")).unwrap();
    let two = stream.consumer(ConsumerConfig::durable("two").with_filter("orders.a")).unwrap();
    assert_eq!(put(&stream, "orders.a", "both").await.unwrap().sequence, 2);
    put(&stream, "orders.b", "one only").await.unwrap();
    let (mut first, mut second) = (listen(&one).await, listen(&two).await);
    take(&mut first).await.ack().await.unwrap();
    assert_eq!(stream.info().messages, 2);
    take(&mut second).await.ack().await.unwrap();
    assert_eq!(stream.info().messages, 1);
    assert!(stream.delete_consumer("one"));
    assert_eq!(stream.info().messages, 0, "nobody is left who wants it");
}

#[tokio::test(start_paused = true)]
async fn a_work_queue_lets_go_at_once_and_has_one_consumer_a_message() {
    let stream = Mem::stream(config().with_retention(Retention::WorkQueue)).unwrap();
    put(&stream, "orders.a", "1").await.unwrap();
    let consumer = stream.consumer(ConsumerConfig::durable("a").with_filter("orders.a")).unwrap();
    let error = stream.consumer(ConsumerConfig::durable("all")).unwrap_err();
    assert!(error.to_string().contains("`all`") && error.to_string().contains("`a`"), "{error}");
    stream.consumer(ConsumerConfig::durable("b").with_filter("orders.b")).unwrap();
    take(&mut listen(&consumer).await).await.ack().await.unwrap();
    assert_eq!(stream.info().messages, 0);
}

#[tokio::test(start_paused = true)]
async fn an_id_is_stored_once_within_the_window() {
    let stream = Mem::stream(config().with_duplicate_window(Duration::from_secs(10))).unwrap();
    let first = put_with_id(&stream, "one").await;
    assert_eq!((first.sequence, first.duplicate), (1, false));
    tokio::time::advance(Duration::from_secs(9)).await;
    let again = put_with_id(&stream, "one").await;
    assert_eq!((again.sequence, again.duplicate), (1, true));
    tokio::time::advance(Duration::from_secs(1)).await;
    let later = put_with_id(&stream, "one").await;
    assert_eq!((later.sequence, later.duplicate), (2, false));
    let off = Mem::stream(config().with_duplicate_window(Duration::ZERO)).unwrap();
    assert!(!put_with_id(&off, "one").await.duplicate);
    assert!(!put_with_id(&off, "one").await.duplicate);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_subject_is_an_error_at_once() {
    let stream = stream();
    let error = put(&stream, "invoices.a", "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.to_string().contains("invoices.a") && error.to_string().contains("orders.>"), "{error}");
    assert_eq!(stream.publish("orders..a", "x".into()).await.unwrap_err().kind(), ErrorKind::InvalidSubject);
}

#[tokio::test(start_paused = true)]
async fn purge_removes_what_matches() {
    let stream = stream();
    let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
    for subject in ["orders.a", "orders.b", "orders.a"] {
        put(&stream, subject, "x").await.unwrap();
    }
    assert_eq!(stream.purge("orders.a").unwrap(), 2);
    assert_eq!((stream.info().messages, consumer.info().unwrap().pending), (1, 1));
}
