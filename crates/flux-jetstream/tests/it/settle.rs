//! Deliveries tell what the server knows of them, and are settled on the server.

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flux_core::{Acker as _, Consumer as _, ErrorKind, Subscriber, next};
use flux_jetstream::{Acks, ConsumerConfig, JetStream, JsConsumer};
use flux_nats::Nats;
use flux_nats_server::Server;

use crate::{config, listen, put, stream, take, text};

async fn pending(consumer: &JsConsumer) -> u64 {
    consumer.info().await.unwrap().ack_pending
}

#[tokio::test]
async fn a_delivery_knows_its_place() {
    let stream = stream().await;
    put(&stream, "orders.a", "one").await.unwrap();
    put(&stream, "orders.b", "two").await.unwrap();
    let config = ConsumerConfig::durable("d").with_filter("orders.b").with_max_deliver(4);
    let mut deliveries = listen(&stream.consumer(config).await.unwrap()).await;
    let before = std::time::SystemTime::now() - Duration::from_mins(1);
    let taken = take(&mut deliveries).await;
    let about = taken.metadata.clone();
    assert_eq!((about.stream.as_deref(), about.sequence, about.consumer_sequence), (Some("orders"), Some(2), Some(1)));
    assert_eq!((about.delivered, about.pending, about.max_deliver), (Some(1), Some(0), Some(4)));
    assert_eq!(about.ack_wait, Some(Duration::from_secs(30)));
    assert!(about.time.is_some_and(|time| time > before));
    taken.nak().await.unwrap();
    let again = take(&mut deliveries).await.metadata;
    assert_eq!((again.sequence, again.consumer_sequence, again.delivered), (Some(2), Some(2), Some(2)));
}

#[tokio::test]
async fn a_confirmed_ack_is_on_the_server() {
    let stream = stream().await;
    let consumer = stream.consumer(ConsumerConfig::durable("d")).await.unwrap();
    let mut deliveries = listen(&consumer).await;
    put(&stream, "orders.a", "x").await.unwrap();
    let taken = take(&mut deliveries).await;
    assert_eq!(pending(&consumer).await, 1);
    taken.acker.ack_confirmed().await.unwrap();
    assert_eq!(pending(&consumer).await, 0);
}

#[tokio::test]
async fn a_term_tells_the_operators_why() {
    let stream = stream().await;
    let client = stream.jetstream().nats().client();
    let mut advisories = client.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.orders.d").await.unwrap();
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::durable("d")).await.unwrap()).await;
    put(&stream, "orders.a", "x").await.unwrap();
    take(&mut deliveries).await.term("of no\nuse").await.unwrap();
    let advisory = next(pin!(&mut advisories)).await.unwrap();
    let advisory: serde_json::Value = serde_json::from_slice(&advisory.payload).unwrap();
    assert_eq!(advisory["reason"], "of no use");
}

#[tokio::test]
async fn backoff_takes_the_place_of_the_ack_wait() {
    let stream = stream().await;
    let steps = [Duration::from_millis(300), Duration::from_millis(900)];
    let config = ConsumerConfig::durable("d").with_backoff(steps).with_max_deliver(3);
    let mut deliveries = listen(&stream.consumer(config).await.unwrap()).await;
    put(&stream, "orders.a", "x").await.unwrap();
    for (delivered, wait) in [(1, 300), (2, 900), (3, 900)] {
        let start = Instant::now();
        let taken = take(&mut deliveries).await;
        assert_eq!(taken.metadata.delivered, Some(delivered));
        assert_eq!(taken.metadata.ack_wait, Some(Duration::from_millis(wait)));
        if delivered > 1 {
            let expected = steps[usize::try_from(delivered).unwrap() - 2];
            assert!(start.elapsed() >= expected.mul_f64(0.8), "delivery {delivered} after {:?}", start.elapsed());
        }
    }
}

#[tokio::test]
async fn after_max_deliver_it_is_given_up_and_the_rest_flows() {
    let stream = stream().await;
    let config = ConsumerConfig::durable("d").with_max_deliver(2);
    let mut deliveries = listen(&stream.consumer(config).await.unwrap()).await;
    put(&stream, "orders.a", "poison").await.unwrap();
    put(&stream, "orders.a", "good").await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let taken = take(&mut deliveries).await;
        seen.push(text(&taken));
        if text(&taken) == "good" {
            taken.nak_after(Duration::from_millis(200)).await.unwrap();
        } else {
            taken.nak().await.unwrap();
        }
    }
    seen.sort();
    assert_eq!(seen, ["good", "poison", "poison"]);
    assert_eq!(text(&take(&mut deliveries).await), "good", "the poison would have come before it");
}

#[tokio::test]
async fn a_late_ack_of_an_earlier_delivery_counts() {
    let stream = stream().await;
    let consumer =
        stream.consumer(ConsumerConfig::durable("d").with_ack_wait(Duration::from_millis(300))).await.unwrap();
    let mut deliveries = listen(&consumer).await;
    put(&stream, "orders.a", "x").await.unwrap();
    let first = take(&mut deliveries).await;
    let second = take(&mut deliveries).await;
    assert_eq!(second.metadata.delivered, Some(2));
    first.acker.ack_confirmed().await.unwrap();
    assert_eq!(pending(&consumer).await, 0);
}

#[tokio::test]
async fn headers_alone_come_when_asked_for() {
    let stream = stream().await;
    put(&stream, "orders.a", "12345").await.unwrap();
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::ephemeral().with_headers_only()).await.unwrap()).await;
    let taken = take(&mut deliveries).await;
    assert!(taken.message.payload.is_empty());
    assert_eq!(taken.message.headers.get("Nats-Msg-Size"), Some("5"));
}

#[tokio::test]
async fn an_ack_returns_when_it_was_asked_to() {
    let server = Server::builder().with_jetstream().start().await.unwrap();
    let nats = Nats::new(async_nats::connect(server.url()).await.unwrap());
    let stream = JetStream::new(nats).with_timeout(Duration::from_millis(300)).stream(config()).await.unwrap();
    put(&stream, "orders.a", "x").await.unwrap();
    let mut taken = Vec::new();
    for (name, acks) in [("sent", Acks::Sent), ("measured", Acks::Measured), ("confirmed", Acks::Confirmed)] {
        let consumer = stream.consumer(ConsumerConfig::durable(name).with_acks(acks)).await.unwrap();
        taken.push(consumer.fetch(1, Duration::from_secs(5)).await.unwrap().pop().unwrap().unwrap());
    }
    let confirmed = taken.pop().unwrap();
    let measured = taken.pop().unwrap();
    let sent = taken.pop().unwrap();
    server.pause().await.unwrap();
    sent.acker.ack().await.unwrap();
    // More than the 100 ms have passed since the delivery when the last one has waited in vain.
    assert_eq!(confirmed.acker.ack().await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(measured.acker.ack().await.unwrap_err().kind(), ErrorKind::TimedOut);
    server.resume().await.unwrap();
}

#[tokio::test]
async fn only_what_was_handled_slowly_waits_for_its_confirmation() {
    let stream = stream().await;
    let client = stream.jetstream().nats().client();
    // Who wants a confirmation says where.
    let mut acks = client.subscribe("$JS.ACK.>").await.unwrap();
    client.flush().await.unwrap();
    let consumer = stream.consumer(ConsumerConfig::durable("d")).await.unwrap();
    for (handled, confirmed) in [(Duration::ZERO, false), (Duration::from_millis(100), true)] {
        put(&stream, "orders.a", "x").await.unwrap();
        let taken = consumer.fetch(1, Duration::from_secs(5)).await.unwrap().pop().unwrap().unwrap();
        tokio::time::pause();
        if handled.is_zero() {
            taken.ack().await.unwrap();
            tokio::time::resume();
        } else {
            tokio::time::advance(handled).await;
            // A clock that stands still would jump to the end of the wait for the confirmation.
            tokio::time::resume();
            taken.ack().await.unwrap();
        }
        assert_eq!(next(pin!(&mut acks)).await.unwrap().reply.is_some(), confirmed, "after {handled:?}");
    }
}

#[tokio::test]
async fn settlements_that_were_only_sent_can_be_confirmed_together() {
    let server = Server::builder().with_jetstream().start().await.unwrap();
    let nats = Nats::new(async_nats::connect(server.url()).await.unwrap());
    let jetstream = JetStream::new(nats).with_timeout(Duration::from_millis(500));
    let stream = jetstream.stream(config()).await.unwrap();
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_acks(Acks::Sent)).await.unwrap();
    let mut deliveries = listen(&consumer).await;
    let backlog = <JsConsumer as Subscriber<Bytes>>::backlog(&deliveries).unwrap();
    backlog.confirm().await.unwrap();
    for number in ["1", "2"] {
        put(&stream, "orders.a", number).await.unwrap();
        take(&mut deliveries).await.ack().await.unwrap();
    }
    // For messages that are settled already, too, the server says so.
    backlog.confirm().await.unwrap();
    assert_eq!(consumer.info().await.unwrap().ack_pending, 0);
    put(&stream, "orders.a", "3").await.unwrap();
    let third = take(&mut deliveries).await;
    server.pause().await.unwrap();
    third.ack().await.unwrap();
    assert_eq!(backlog.confirm().await.unwrap_err().kind(), ErrorKind::TimedOut);
    server.resume().await.unwrap();
    backlog.confirm().await.unwrap();
    assert_eq!(consumer.info().await.unwrap().ack_pending, 0);
}
