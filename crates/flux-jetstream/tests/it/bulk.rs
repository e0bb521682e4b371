//! Many messages at once: pipelined, in one batch, replayed.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flux_codec::Json;
use flux_core::{ErrorKind, Failure, Message, Subscriber as _, next, subject};
use flux_jetstream::{
    ConsumerConfig, DeliverPolicy, Discard, JetStream, JsStream, Replay, ReplayPolicy, StreamBus as _,
};
use flux_nats::Nats;
use flux_nats_server::Server;
use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::{config, jetstream, listen, put, stream, take, text};

fn numbered(number: u64) -> Message<Bytes> {
    Message::new(format!("orders.{}", number % 3), Bytes::from(number.to_string())).unwrap()
}

async fn filled(messages: u64) -> JsStream {
    let stream = stream().await;
    let all = futures_util::stream::iter((1..=messages).map(numbered));
    let mut receipts = stream.publish_all(all, 100).await.unwrap();
    while let Some(receipt) = receipts.next().await {
        receipt.unwrap();
    }
    drop(receipts);
    stream
}

#[tokio::test]
async fn each_message_of_a_pipeline_has_its_own_receipt_in_order() {
    let stream = jetstream().await.stream(config().with_max_message_bytes(50)).await.unwrap();
    let large = Message::to(subject!("orders.new"), Bytes::from(vec![0; 51]));
    let foreign = Message::to(subject!("payments.new"), Bytes::new());
    let again = || numbered(1).with_id("one").unwrap();
    let messages = [again(), large, foreign, again(), numbered(4)];
    let receipts = stream.publish_all(futures_util::stream::iter(messages), 2).await.unwrap();
    let receipts: Vec<_> =
        receipts.map(|receipt| receipt.map(|stored| (stored.sequence, stored.duplicate))).collect().await;
    let kinds: Vec<_> =
        receipts.iter().map(|receipt| receipt.as_ref().map_err(flux_core::Error::kind).copied()).collect();
    let expected = [Ok((1, false)), Err(ErrorKind::TooLarge), Err(ErrorKind::Rejected), Ok((1, true)), Ok((2, false))];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn a_pipeline_has_no_more_on_its_way_than_allowed() {
    let stream = stream().await;
    let asked = Mutex::new(0);
    let messages = futures_util::stream::iter(1..=1_000).map(|number| {
        *asked.lock().unwrap() += 1;
        numbered(number)
    });
    let mut receipts = stream.publish_all(messages, 10).await.unwrap();
    let mut received = 0;
    while let Some(receipt) = receipts.next().await {
        received += 1;
        assert_eq!(receipt.unwrap().sequence, received);
        assert!(*asked.lock().unwrap() <= received + 10);
    }
    assert_eq!(received, 1_000);
}

#[tokio::test]
async fn a_pipeline_into_nothing_fails_at_once_or_in_time() {
    let server = Server::builder().with_jetstream().start().await.unwrap();
    let nats = Nats::new(async_nats::connect(server.url()).await.unwrap());
    let jetstream = JetStream::new(nats).with_timeout(Duration::from_millis(300));
    let stream = jetstream.stream(config()).await.unwrap();
    jetstream.delete_stream("orders").await.unwrap();
    let kinds = || async {
        let receipts = stream.publish_all(futures_util::stream::iter((1..=3).map(numbered)), 10).await.unwrap();
        receipts.map(|receipt| receipt.map_err(|error| error.kind()).map(drop)).collect::<Vec<_>>().await
    };
    assert_eq!(kinds().await, [Err(ErrorKind::NoResponder); 3]);
    server.pause().await.unwrap();
    assert_eq!(kinds().await, [Err(ErrorKind::TimedOut); 3]);
    server.resume().await.unwrap();
}

#[tokio::test]
async fn a_batch_is_stored_whole() {
    let stream = jetstream().await.stream(config().with_atomic_publish()).await.unwrap();
    for size in [1, 2, 100] {
        let before = stream.info().await.unwrap().last_sequence;
        let stored = stream.publish_atomic((1..=size).map(numbered).collect()).await.unwrap();
        assert_eq!(stored.last_sequence, before + size);
        assert_eq!(stream.info().await.unwrap().last_sequence, before + size);
    }
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::ephemeral()).await.unwrap()).await;
    let taken = take(&mut deliveries).await;
    assert!(taken.message.headers.is_empty(), "what the batch needed is not passed on: {:?}", taken.message.headers);
}

#[tokio::test]
async fn a_batch_is_stored_whole_or_not_at_all() {
    let full = config().with_atomic_publish().with_max_messages(50).with_discard(Discard::New);
    let stream = jetstream().await.stream(full).await.unwrap();
    let error = stream.publish_atomic((1..=60).map(numbered).collect()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Full | ErrorKind::Rejected | ErrorKind::Unavailable), "{error:?}");
    assert_eq!(stream.info().await.unwrap().messages, 0);
    assert_eq!(stream.publish_atomic(Vec::new()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_stream_that_takes_no_batches_says_so() {
    let stream = stream().await;
    let error = stream.publish_atomic((1..=3).map(numbered).collect()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
}

/// Replays, and tells which payloads came, as numbers.
async fn replayed(stream: &JsStream, what: Replay) -> Vec<u64> {
    let seen = Mutex::new(Vec::new());
    let handler = |message: Message<Bytes>| {
        let number = std::str::from_utf8(&message.payload).unwrap().parse::<u64>().unwrap();
        seen.lock().unwrap().push(number);
        async { Ok::<(), Failure>(()) }
    };
    let done = stream.replay(what, handler).await.unwrap();
    let seen = seen.into_inner().unwrap();
    assert_eq!(done.messages, seen.len() as u64);
    assert_eq!(done.last_sequence, seen.last().copied().unwrap_or(0));
    seen
}

#[tokio::test]
async fn a_replay_brings_what_is_there_in_order_and_stops() {
    let stream = filled(1_200).await;
    assert!(replayed(&stream, Replay::all()).await.into_iter().eq(1..=1_200));
    assert!(replayed(&stream, Replay::from_sequence(1_000)).await.into_iter().eq(1_000..=1_200));
    let filtered = Replay::from_sequence(4).with_filter("orders.0");
    assert!(replayed(&stream, filtered).await.into_iter().eq((6..=1_200).step_by(3)));
    assert_eq!(replayed(&stream, Replay::last_per_subject()).await, [1_198, 1_199, 1_200]);
    let between = SystemTime::now();
    put(&stream, "orders.0", "1201").await.unwrap();
    assert_eq!(replayed(&stream, Replay::from_time(between)).await, [1_201]);
    assert!(replayed(&stream, Replay::from_time(SystemTime::now() + Duration::from_mins(1))).await.is_empty());
    stream.purge(">").await.unwrap();
    assert!(replayed(&stream, Replay::all()).await.is_empty());
}

/// Deletes every consumer of the stream.
async fn delete_consumers(stream: &JsStream) {
    let client = stream.jetstream().nats().client();
    let raw = async_nats::jetstream::new(client.clone()).get_stream(stream.name()).await.unwrap();
    let names: Vec<_> = raw.consumer_names().collect().await;
    for name in names {
        raw.delete_consumer(&name.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_replay_brings_each_message_once_though_consumer_and_connection_are_lost() {
    let server = Server::builder().with_jetstream().start().await.unwrap();
    let stream = JetStream::connect(server.url()).await.unwrap().stream(config()).await.unwrap();
    let all = futures_util::stream::iter((1..=2_000).map(numbered));
    assert!(stream.publish_all(all, 100).await.unwrap().all(async |receipt| receipt.is_ok()).await);
    let seen = Mutex::new(Vec::new());
    let handler = async |message: Message<Bytes>| {
        let number = std::str::from_utf8(&message.payload).unwrap().parse::<u64>().unwrap();
        seen.lock().unwrap().push(number);
        match number {
            700 => delete_consumers(&stream).await,
            1_300 => server.restart().await.unwrap(),
            _ => {}
        }
        Ok::<(), Failure>(())
    };
    let done = stream.replay(Replay::all(), handler).await.unwrap();
    assert_eq!((done.messages, done.last_sequence), (2_000, 2_000));
    assert!(seen.into_inner().unwrap().into_iter().eq(1..=2_000));
}

#[tokio::test]
async fn a_replay_leaves_out_what_comes_meanwhile() {
    let stream = filled(3).await;
    let count = Mutex::new(0);
    let handler = |_| async {
        *count.lock().unwrap() += 1;
        put(&stream, "orders.0", "9").await.map(drop)
    };
    assert_eq!(stream.replay(Replay::all(), handler).await.unwrap().messages, 3);
    assert_eq!(count.into_inner().unwrap(), 3);
}

#[tokio::test]
async fn a_replay_ends_where_its_handler_fails() {
    let stream = filled(5).await;
    let handler = |message: Message<Bytes>| async move {
        if message.payload == "3" { Err(Failure::retry("no more")) } else { Ok(()) }
    };
    let error = stream.replay(Replay::all(), handler).await.unwrap_err();
    assert!(error.to_string().contains("at place 3: no more"), "{error}");
}

#[tokio::test]
async fn values_are_published_and_replayed_as_values() {
    let orders = stream().await.typed(Json);
    let messages = (1..=3_u64).map(|number| Message::to(subject!("orders.new"), number));
    let receipts = orders.publish_all(futures_util::stream::iter(messages), 2).await.unwrap();
    assert_eq!(receipts.filter(|receipt| std::future::ready(receipt.is_ok())).count().await, 3);
    let sum = Mutex::new(0);
    let handler = |message: Message<u64>| {
        *sum.lock().unwrap() += message.payload;
        async { Ok::<(), Failure>(()) }
    };
    orders.replay(Replay::all(), handler).await.unwrap();
    assert_eq!(sum.into_inner().unwrap(), 6);
}

#[tokio::test]
async fn ordered_reading_survives_the_loss_of_its_consumer() {
    let stream = filled(2_000).await;
    let mut deliveries = stream.ordered(ConsumerConfig::ephemeral()).subscribe(">").await.unwrap();
    for expected in 1..=2_000_u64 {
        let taken = next(std::pin::Pin::new(&mut deliveries)).await.unwrap().unwrap();
        assert_eq!(taken.metadata.sequence, Some(expected));
        if expected == 700 {
            delete_consumers(&stream).await;
        }
    }
}

#[tokio::test]
async fn every_deliver_policy_begins_where_it_says() {
    let stream = filled(6).await;
    let between = SystemTime::now();
    put(&stream, "orders.0", "7").await.unwrap();
    for (policy, expected) in [
        (DeliverPolicy::All, vec![1, 2]),
        (DeliverPolicy::Last, vec![7]),
        (DeliverPolicy::LastPerSubject, vec![4, 5, 7]),
        (DeliverPolicy::FromSequence(5), vec![5, 6, 7]),
        (DeliverPolicy::FromTime(between), vec![7]),
        (DeliverPolicy::New, vec![8]),
    ] {
        let config = ConsumerConfig::ephemeral().with_deliver_policy(policy).with_filter("orders.>");
        let mut deliveries = listen(&stream.consumer(config).await.unwrap()).await;
        if policy == DeliverPolicy::New {
            put(&stream, "orders.0", "8").await.unwrap();
        }
        for expected in expected {
            assert_eq!(take(&mut deliveries).await.metadata.sequence, Some(expected), "{policy:?}");
        }
    }
}

#[tokio::test]
async fn the_original_pace_is_kept_when_asked_for() {
    let stream = stream().await;
    put(&stream, "orders.a", "1").await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    put(&stream, "orders.a", "2").await.unwrap();
    for (policy, slow) in [(ReplayPolicy::Instant, false), (ReplayPolicy::Original, true)] {
        let config = ConsumerConfig::ephemeral().with_replay_policy(policy);
        let mut deliveries = listen(&stream.consumer(config).await.unwrap()).await;
        take(&mut deliveries).await.ack().await.unwrap();
        let start = Instant::now();
        assert_eq!(text(&take(&mut deliveries).await), "2");
        assert_eq!(start.elapsed() > Duration::from_millis(300), slow, "{policy:?} after {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn one_message_is_got_by_its_place() {
    let stream = filled(3).await.typed(Json);
    let got: Message<u64> = stream.get(2).await.unwrap().unwrap();
    assert_eq!((got.subject.as_str(), got.payload), ("orders.2", 2));
    let with_headers = Message::new("orders.x", 4).unwrap().with_id("four").unwrap();
    let stored = flux_core::Publisher::send(&stream, with_headers).await.unwrap();
    let got: Message<u64> = stream.get(stored.sequence).await.unwrap().unwrap();
    assert_eq!((got.id(), got.payload), (Some("four"), 4));
    let none: Option<Message<u64>> = stream.get(5).await.unwrap();
    assert!(none.is_none());
}
