//! What a stream keeps and what it lets go of, where several rules meet.

use std::time::Duration;

use flux_core::{ErrorKind, Message, Publisher as _};
use flux_mem::{ConsumerConfig, DeliverPolicy, Discard, Mem, MemStream, Retention, StreamConfig};

use crate::{config, listen, put, put_with_id, take, take_within_an_hour, text};

fn interest() -> StreamConfig {
    config().with_retention(Retention::Interest)
}

/// The payloads it holds, oldest first.
fn held(stream: &MemStream) -> Vec<String> {
    let last = stream.info().last_sequence;
    let messages = (1..=last).filter_map(|sequence| stream.get(sequence));
    messages.map(|message| String::from_utf8(message.payload.to_vec()).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_pushes_nothing_out_of_a_full_stream() {
    for discard in [Discard::Old, Discard::New] {
        let stream = Mem::stream(interest().with_max_messages(1).with_discard(discard)).unwrap();
        let _consumer = stream.consumer(ConsumerConfig::durable("d").with_filter("orders.a")).unwrap();
        put(&stream, "orders.a", "wanted").await.unwrap();
        assert_eq!(put(&stream, "orders.b", "unwanted").await.unwrap().sequence, 2);
        assert_eq!(held(&stream), ["wanted"], "{discard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_subject_takes_room_from_itself_alone() {
    for discard in [Discard::Old, Discard::New] {
        let limits = config().with_max_messages(2).with_max_messages_per_subject(1).with_discard(discard);
        let stream = Mem::stream(limits).unwrap();
        for (subject, name) in [("orders.b", "b1"), ("orders.a", "a1"), ("orders.a", "a2")] {
            put(&stream, subject, name).await.unwrap();
        }
        assert_eq!(held(&stream), ["b1", "a2"], "{discard:?}");
        // "orders.a" and 2 bytes count 10; a message that replaces another needs only the difference.
        let limits = config().with_max_bytes(20).with_max_messages_per_subject(1).with_discard(discard);
        let stream = Mem::stream(limits).unwrap();
        for (subject, name) in [("orders.b", "b1"), ("orders.a", "a1"), ("orders.a", "a2")] {
            put(&stream, subject, name).await.unwrap();
        }
        assert_eq!(held(&stream), ["b1", "a2"], "{discard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_larger_message_does_not_replace_where_it_finds_no_room() {
    let limits = config().with_max_bytes(20).with_max_messages_per_subject(1);
    let stream = Mem::stream(limits.clone().with_discard(Discard::New)).unwrap();
    put(&stream, "orders.b", "b1").await.unwrap();
    put(&stream, "orders.a", "a1").await.unwrap();
    assert_eq!(put(&stream, "orders.a", "a22").await.unwrap_err().kind(), ErrorKind::Full);
    assert_eq!(held(&stream), ["b1", "a1"]);
    let stream = Mem::stream(limits).unwrap();
    put(&stream, "orders.b", "b1").await.unwrap();
    put(&stream, "orders.a", "a1").await.unwrap();
    put(&stream, "orders.a", "a22").await.unwrap();
    assert_eq!(held(&stream), ["a22"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_subject_refuses_new_ones_where_it_is_told_to() {
    let limits = config().with_discard(Discard::New).with_max_messages_per_subject(1).with_discard_new_per_subject();
    let stream = Mem::stream(limits).unwrap();
    put(&stream, "orders.a", "a1").await.unwrap();
    let error = put(&stream, "orders.a", "a2").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Full && error.to_string().contains("the subject is full"), "{error}");
    put(&stream, "orders.b", "b1").await.unwrap();
    assert_eq!(held(&stream), ["a1", "b1"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_one_consumer_gave_up_waits_for_the_others_only() {
    let stream = Mem::stream(interest()).unwrap();
    let quitter = stream.consumer(ConsumerConfig::durable("quitter").with_max_deliver(1)).unwrap();
    let other = stream.consumer(ConsumerConfig::durable("other")).unwrap();
    put(&stream, "orders.a", "x").await.unwrap();
    let mut quitting = listen(&quitter).await;
    take(&mut quitting).await.nak().await.unwrap();
    assert!(take_within_an_hour(&mut quitting).await.is_none());
    assert_eq!(stream.info().messages, 1, "the other has not seen it");
    take(&mut listen(&other).await).await.ack().await.unwrap();
    assert_eq!(stream.info().messages, 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_given_up_is_gone_with_its_consumer() {
    let stream = Mem::stream(interest()).unwrap();
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_max_deliver(1)).unwrap();
    put(&stream, "orders.a", "x").await.unwrap();
    let mut deliveries = listen(&consumer).await;
    take(&mut deliveries).await.nak().await.unwrap();
    assert!(take_within_an_hour(&mut deliveries).await.is_none());
    assert_eq!(stream.info().messages, 1, "giving up is not settling");
    assert!(stream.delete_consumer("d"));
    assert_eq!(stream.info().messages, 0);
}

#[tokio::test(start_paused = true)]
async fn an_ack_counts_even_after_the_last_delivery_ran_out() {
    for retention in [Retention::WorkQueue, Retention::Interest] {
        let stream = Mem::stream(config().with_retention(retention)).unwrap();
        let consumer = stream.consumer(ConsumerConfig::durable("d").with_max_deliver(1)).unwrap();
        put(&stream, "orders.a", "x").await.unwrap();
        let mut deliveries = listen(&consumer).await;
        let taken = take(&mut deliveries).await;
        assert!(take_within_an_hour(&mut deliveries).await.is_none());
        assert_eq!((consumer.info().unwrap().given_up, stream.info().messages), (1, 1));
        taken.ack().await.unwrap();
        assert_eq!(stream.info().messages, 0, "{retention:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_termed_is_settled_for_every_retention() {
    for (retention, left) in [(Retention::Limits, 1), (Retention::Interest, 0), (Retention::WorkQueue, 0)] {
        let stream = Mem::stream(config().with_retention(retention)).unwrap();
        let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
        put(&stream, "orders.a", "x").await.unwrap();
        take(&mut listen(&consumer).await).await.term("no use").await.unwrap();
        assert_eq!(stream.info().messages, left, "{retention:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_to_come_is_the_next_one() {
    let stream = Mem::stream(interest()).unwrap();
    let from_ten = ConsumerConfig::durable("d").with_deliver_policy(DeliverPolicy::FromSequence(10));
    let consumer = stream.consumer(from_ten).unwrap();
    put(&stream, "orders.a", "x").await.unwrap();
    assert_eq!(consumer.info().unwrap().pending, 1);
    let mut deliveries = listen(&consumer).await;
    let taken = take_within_an_hour(&mut deliveries).await.expect("a server begins at its next message, too");
    taken.ack().await.unwrap();
    assert_eq!((stream.info().messages, consumer.info().unwrap().pending), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_begins_late_has_no_say_in_what_came_before() {
    let stream = Mem::stream(interest()).unwrap();
    let first = stream.consumer(ConsumerConfig::durable("first")).unwrap();
    for name in ["1", "2", "3"] {
        put(&stream, "orders.a", name).await.unwrap();
    }
    let late = |name: &str, policy| stream.consumer(ConsumerConfig::durable(name).with_deliver_policy(policy)).unwrap();
    let _consumers = [late("new", DeliverPolicy::New), late("last", DeliverPolicy::LastPerSubject)];
    let mut deliveries = listen(&first).await;
    for _ in 0..3 {
        take(&mut deliveries).await.ack().await.unwrap();
    }
    assert_eq!(held(&stream), ["3"], "the newest of its subject is awaited");
    assert!(stream.delete_consumer("last"));
    assert_eq!(stream.info().messages, 0);
}

#[tokio::test(start_paused = true)]
async fn an_id_is_forgotten_with_the_age_of_its_message() {
    let stream = Mem::stream(config().with_max_age(Duration::from_secs(60))).unwrap();
    assert!(!put_with_id(&stream, "one").await.duplicate);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(!put_with_id(&stream, "one").await.duplicate, "the first one is gone");
    assert_eq!(stream.info().messages, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_leaves_no_id_behind() {
    let limits = config().with_max_messages(1).with_discard(Discard::New);
    let stream = Mem::stream(limits).unwrap();
    let full = put(&stream, "orders.a", "x").await.unwrap();
    let with_id = || Message::new("orders.new", "x".into()).unwrap().with_id("one").unwrap();
    assert_eq!(stream.send(with_id()).await.unwrap_err().kind(), ErrorKind::Full);
    assert_eq!((full.sequence, stream.purge(">").unwrap()), (1, 1));
    assert!(!stream.send(with_id()).await.unwrap().duplicate);
}

#[tokio::test(start_paused = true)]
async fn an_empty_id_is_none() {
    let stream = Mem::stream(config()).unwrap();
    assert!(!put_with_id(&stream, "").await.duplicate);
    assert!(!put_with_id(&stream, "").await.duplicate);
}

#[tokio::test(start_paused = true)]
async fn a_durable_may_have_the_name_of_an_ephemeral() {
    let stream = Mem::stream(config()).unwrap();
    put(&stream, "orders.a", "x").await.unwrap();
    let ephemeral = stream.consumer(ConsumerConfig::ephemeral()).unwrap();
    let name = ephemeral.info().unwrap().name;
    assert!(!stream.delete_consumer(&name), "it is not a durable one");
    let durable = stream.consumer(ConsumerConfig::durable(&name)).unwrap();
    drop(ephemeral);
    let taken = take(&mut listen(&durable).await).await;
    assert_eq!(text(&taken), "x");
    let _another = stream.consumer(ConsumerConfig::ephemeral()).unwrap();
    assert!(stream.delete_consumer(&name));
}
