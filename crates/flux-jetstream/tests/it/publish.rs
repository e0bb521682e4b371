//! Receipts, refusals, and what a message asks of the server.

use std::time::{Duration, Instant, SystemTime};

use async_nats::HeaderMap;
use bytes::Bytes;
use flux_core::{ErrorKind, Message, Publisher as _, header, subject};
use flux_jetstream::{ConsumerConfig, Discard, JetStream, JsStream, PublishOptions, Schedule, Stored};
use flux_nats::Nats;
use flux_nats_server::Server;

use crate::{config, jetstream, listen, put, stream, take, text};

fn message(text: &'static str) -> Message<Bytes> {
    Message::to(subject!("orders.new"), Bytes::from_static(text.as_bytes()))
}

async fn kind(stream: &JsStream, message: Message<Bytes>) -> Option<ErrorKind> {
    stream.send(message).await.err().map(|error| error.kind())
}

#[tokio::test]
async fn the_receipt_tells_stream_place_and_duplicate() {
    let stream = stream().await;
    let receipt = |stored: Stored| (stored.stream.to_string(), stored.sequence, stored.duplicate);
    let first = stream.send(message("one").with_id("1").unwrap()).await.unwrap();
    assert_eq!(receipt(first), ("orders".into(), 1, false));
    assert_eq!(put(&stream, "orders.new", "two").await.unwrap().sequence, 2);
    let again = stream.send(message("one").with_id("1").unwrap()).await.unwrap();
    assert_eq!(receipt(again), ("orders".into(), 1, true));
    assert_eq!(stream.info().await.unwrap().messages, 2);
}

#[tokio::test]
async fn what_has_an_id_is_sent_again_when_its_answer_does_not_come_and_nothing_else_is() {
    let server = Server::builder().with_jetstream().start().await.unwrap();
    let nats = Nats::new(async_nats::connect(server.url()).await.unwrap());
    let jetstream = JetStream::new(nats).with_timeout(Duration::from_secs(1));
    let stream = jetstream.stream(config()).await.unwrap();
    server.pause().await.unwrap();
    // The one without an id is sent last; when its time is up, so was that of the other one's first attempt.
    let known = stream.send(Message::new("orders.known", Bytes::new()).unwrap().with_id("1").unwrap());
    let unknown = async {
        let error = put(&stream, "orders.unknown", "").await.unwrap_err();
        server.resume().await.unwrap();
        error.kind()
    };
    let (known, unknown) = futures_util::future::join(known, unknown).await;
    assert_eq!((known.unwrap().sequence, unknown), (1, ErrorKind::TimedOut));
    // What was sent while the server stood still it has read by now, in that order.
    assert_eq!(stream.purge("orders.known").await.unwrap(), 1, "the id keeps it from being stored twice");
    assert_eq!(stream.purge("orders.unknown").await.unwrap(), 1, "it was sent once");
}

#[tokio::test]
async fn a_subject_no_stream_takes_is_an_error_at_once() {
    let stream = stream().await;
    let start = Instant::now();
    assert_eq!(put(&stream, "payments.new", "x").await.unwrap_err().kind(), ErrorKind::Rejected);
    stream.jetstream().delete_stream("orders").await.unwrap();
    let error = put(&stream, "orders.new", "x").await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::NoResponder, Some("publish")));
    assert_eq!(kind(&stream, message("x").with_id("1").unwrap()).await, Some(ErrorKind::NoResponder));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_both_sizes() {
    let stream = jetstream().await.stream(config().with_max_message_bytes(100)).await.unwrap();
    let huge = Message::to(subject!("orders.new"), Bytes::from(vec![0; (1 << 20) + 1]));
    let error = stream.send(huge).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("1048577") && error.to_string().contains("1048576"), "{error}");
    let large = Message::to(subject!("orders.new"), Bytes::from(vec![0; 101]));
    assert_eq!(kind(&stream, large).await, Some(ErrorKind::TooLarge));
}

#[tokio::test]
async fn a_full_stream_says_so() {
    let full = config().with_max_messages(1).with_discard(Discard::New);
    let stream = jetstream().await.stream(full).await.unwrap();
    put(&stream, "orders.new", "x").await.unwrap();
    assert_eq!(put(&stream, "orders.new", "x").await.unwrap_err().kind(), ErrorKind::Full);
}

#[tokio::test]
async fn an_expectation_that_fails_stores_nothing() {
    let stream = stream().await;
    stream.send(message("x").with_id("1").unwrap()).await.unwrap();
    let holds = PublishOptions::new()
        .with_expected_stream("orders")
        .with_expected_last_sequence(1)
        .with_expected_last_subject_sequence(1)
        .with_expected_last_id("1");
    let fails = [
        PublishOptions::new().with_expected_stream("payments"),
        PublishOptions::new().with_expected_last_sequence(0),
        PublishOptions::new().with_expected_last_subject_sequence(0),
        PublishOptions::new().with_expected_last_id("2"),
    ];
    for fails in fails {
        assert_eq!(kind(&stream, fails.apply(message("y")).unwrap()).await, Some(ErrorKind::Rejected), "{fails:?}");
    }
    assert_eq!(stream.send(holds.apply(message("y")).unwrap()).await.unwrap().sequence, 2);
}

#[tokio::test]
async fn a_message_lives_as_long_as_it_was_given() {
    let stream = jetstream().await.stream(config().with_message_ttl()).await.unwrap();
    let mortal = PublishOptions::new().with_ttl(Duration::from_secs(1));
    stream.send(mortal.apply(message("mortal")).unwrap()).await.unwrap();
    put(&stream, "orders.new", "stays").await.unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while stream.info().await.unwrap().messages == 2 {
        assert!(Instant::now() < until, "it is still there");
    }
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::ephemeral()).await.unwrap()).await;
    assert_eq!(text(&take(&mut deliveries).await), "stays");
}

#[tokio::test]
async fn a_rollup_replaces_what_was_before() {
    let stream = jetstream().await.stream(config().with_rollup()).await.unwrap();
    for text in ["a", "b"] {
        put(&stream, "orders.new", text).await.unwrap();
    }
    let rollup = PublishOptions::new().with_rollup_of_subject();
    stream.send(rollup.apply(message("sum")).unwrap()).await.unwrap();
    assert_eq!(stream.info().await.unwrap().messages, 1);
    put(&stream, "orders.other", "x").await.unwrap();
    stream.send(rollup.apply(message("sum")).unwrap()).await.unwrap();
    assert_eq!(stream.info().await.unwrap().messages, 2, "another subject's messages stay");
    stream.send(PublishOptions::new().with_rollup_of_all().apply(message("all")).unwrap()).await.unwrap();
    assert_eq!(stream.info().await.unwrap().messages, 1);
}

#[tokio::test]
async fn a_scheduled_message_comes_when_it_is_due_under_its_target() {
    let stream = jetstream().await.stream(config().with_schedules()).await.unwrap();
    let consumer = stream.consumer(ConsumerConfig::ephemeral().with_filter("orders.due")).await.unwrap();
    let mut deliveries = listen(&consumer).await;
    let due = SystemTime::now() + Duration::from_secs(1);
    let later = PublishOptions::new().with_schedule(Schedule::At(due), subject!("orders.due"));
    let later = later.apply(Message::to(subject!("orders.later.1"), Bytes::from_static(b"remind"))).unwrap();
    stream.send(later).await.unwrap();
    let taken = take(&mut deliveries).await;
    assert_eq!((text(&taken).as_str(), taken.message.subject.as_str()), ("remind", "orders.due"));
    // The server's timer is as exact as its clock's ticks.
    let early = due.duration_since(SystemTime::now()).unwrap_or_default();
    assert!(early < Duration::from_millis(100), "it came {early:?} too early");
}

#[tokio::test]
async fn a_schedule_that_repeats_delivers_again_and_again() {
    let stream = jetstream().await.stream(config().with_schedules()).await.unwrap();
    for (schedule, name) in
        [(Schedule::Every(Duration::from_secs(1)), "every"), (Schedule::Cron("* * * * * *".into()), "cron")]
    {
        let target = flux_core::Subject::new(&format!("orders.due.{name}")).unwrap();
        let again = PublishOptions::new().with_schedule(schedule, target.clone());
        let message = Message::new(&*format!("orders.again.{name}"), Bytes::from_static(b"again")).unwrap();
        stream.send(again.apply(message).unwrap()).await.unwrap();
        let consumer = stream.consumer(ConsumerConfig::ephemeral().with_filter(target.as_str())).await.unwrap();
        let mut deliveries = listen(&consumer).await;
        let mut times = Vec::new();
        for _ in 0..3 {
            let taken = take(&mut deliveries).await;
            assert_eq!(text(&taken), "again");
            times.extend(taken.metadata.time);
        }
        // On a busy machine one of them may be late.
        let apart = times[2].duration_since(times[0]).unwrap();
        assert!(apart > Duration::from_millis(500) && apart < Duration::from_secs(20), "{name}: {apart:?} for two");
        assert_eq!(
            stream.purge(&format!("orders.again.{name}")).await.unwrap(),
            1,
            "the schedule stays until it is removed"
        );
    }
}

#[tokio::test]
async fn a_foreign_id_is_the_messages_id_and_instructions_are_not_passed_on() {
    let stream = jetstream().await.stream(config().with_rollup()).await.unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in [("Nats-Msg-Id", "theirs"), ("Nats-Rollup", "sub"), ("X-Tenant", "acme")] {
        headers.insert(name, value);
    }
    let client = stream.jetstream().nats().client();
    client.request_with_headers("orders.new", headers, "x".into()).await.unwrap();
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::ephemeral()).await.unwrap()).await;
    let taken = take(&mut deliveries).await.into_message();
    assert_eq!(taken.id(), Some("theirs"));
    let names: Vec<_> = taken.headers.iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, ["X-Tenant", "X-Message-ID"]);
}

#[tokio::test]
async fn a_dead_letter_is_stored_in_the_stream_of_its_original() {
    let stream = jetstream().await;
    let stream = stream.stream(flux_jetstream::StreamConfig::new("all", ["orders.>", "dlq.>"])).await.unwrap();
    let order = message("x").with_id("1").unwrap();
    stream.send(order.clone()).await.unwrap();
    let mut letter = Message::to(subject!("dlq.orders.new"), order.payload).with_headers(order.headers);
    letter.headers.insert(header::ORIGINAL_SUBJECT, "orders.new").unwrap();
    assert!(!stream.send(letter.clone()).await.unwrap().duplicate);
    assert!(stream.send(letter).await.unwrap().duplicate, "the same letter again is one");
}
