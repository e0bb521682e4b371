//! Values over bytes: content types, what does not decode, what does not encode, and topics.

use std::time::Duration;

use flux_core::{
    Bytes, Codec as _, Consumer, Delivery, Error, ErrorKind, Forwarded, Message, Outcome, Publisher, Result, Settle,
    Subscriber, Topic, header, next, subject,
};

use crate::number::{Decimal, LARGEST, numbers};
use crate::wire::{Done, Place};

async fn one<T, S: Subscriber<T>>(deliveries: S::Deliveries) -> Result<Delivery<T, S::Acker>> {
    next(Box::pin(deliveries).as_mut()).await.expect("the stream goes on")
}

fn raw(content_type: Option<&'static str>, payload: &'static str) -> Message<Bytes> {
    let message = Message::to(subject!("n"), Bytes::from_static(payload.as_bytes()));
    match content_type {
        Some(text) => message.with_header(header::CONTENT_TYPE, text).expect("valid"),
        None => message,
    }
}

#[tokio::test]
async fn a_value_goes_out_with_its_content_type_and_comes_back_with_its_bytes() -> Result<()> {
    let (wire, bus) = numbers();
    let deliveries = Subscriber::<u32>::subscribe(&bus, "n.*").await?;
    assert_eq!(bus.publish("n.one", 42).await?, Place(1), "the receipt is the wire's");
    assert_eq!(wire.only().headers.get(&header::CONTENT_TYPE), Some("text/x-decimal"));
    assert_eq!(wire.only().payload, "42");

    let delivery = one::<u32, crate::Numbers>(deliveries).await?;
    assert_eq!(delivery.message.payload, 42);
    assert_eq!(delivery.message.subject, subject!("n.one"));
    assert_eq!(delivery.original.as_deref(), Some(&b"42"[..]));
    delivery.progress().await?;
    delivery.nak_after(Duration::from_secs(3)).await?;
    assert_eq!(wire.done(), [Done::Progress, Done::Nak(Some(Duration::from_secs(3)))]);
    Ok(())
}

#[tokio::test]
async fn the_content_type_is_checked_before_the_payload_is_looked_at() -> Result<()> {
    for (content_type, accepted) in [
        (None, true),
        (Some("Text/X-Decimal; charset=utf-8"), true),
        (Some("application/json"), false),
        (Some(""), false),
    ] {
        let (wire, bus) = numbers();
        let deliveries = Subscriber::<u32>::subscribe(&bus, "n").await?;
        wire.send(raw(content_type, "7")).await?;
        match one::<u32, crate::Numbers>(deliveries).await {
            Ok(delivery) => assert!(accepted && delivery.message.payload == 7, "{content_type:?}"),
            Err(error) => {
                assert!(!accepted, "{content_type:?}: {error}");
                assert_eq!(error.kind(), ErrorKind::Codec);
                assert!(!error.is_retryable());
                assert!(error.to_string().contains("text/x-decimal"), "{error}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_does_not_decode_can_be_taken_from_the_error_kept_and_settled() -> Result<()> {
    let (wire, bus) = numbers();
    let deliveries = Subscriber::<u32>::subscribe(&bus, "n").await?;
    let sent = raw(None, "forty-two").with_header("X-Tag", "kept")?;
    wire.send(sent.clone()).await?;
    let mut error = one::<u32, crate::Numbers>(deliveries).await.expect_err("not a number");
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert_eq!(error.to_string(), "decode `n`: not a decimal number");
    assert!(std::error::Error::source(&error).is_some(), "the parser's own error is the cause");

    let undecodable = error.take_undecodable().expect("holds the delivery");
    assert_eq!(undecodable.message, sent, "subject, headers and bytes as they came");
    assert!(undecodable.acker.redelivers());
    undecodable.settle(Outcome::term("no number")).await?;
    assert_eq!(wire.done(), [Done::Term("no number".into())]);
    assert!(error.take_undecodable().is_none(), "taken once");
    Ok(())
}

#[tokio::test]
async fn a_batch_keeps_what_did_not_decode_in_its_place() -> Result<()> {
    let (wire, bus) = numbers();
    for payload in ["1", "x", "3"] {
        wire.send(raw(None, payload)).await?;
    }
    let mut batch = Consumer::<u32>::fetch(&bus, 9, Duration::ZERO).await?;
    let numbers: Vec<_> = batch.iter().map(|item| item.as_ref().ok().map(|found| found.message.payload)).collect();
    assert_eq!(numbers, [Some(1), None, Some(3)]);
    let error = batch.swap_remove(1).expect_err("not a number").take_undecodable().expect("holds the delivery");
    assert_eq!(error.message.payload, "x");
    error.settle(Outcome::Ack).await?;
    assert_eq!(wire.done(), [Done::Ack]);
    Ok(())
}

#[tokio::test]
async fn what_does_not_encode_is_not_sent() -> Result<()> {
    let (wire, bus) = numbers();
    let error = bus.publish("n.big", LARGEST + 1).await.expect_err("over a thousand");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Codec, Some("encode")));
    assert_eq!(error.subject(), Some(&subject!("n.big")));
    assert!(wire.sent().is_empty());
    bus.publish("n.big", LARGEST).await?;
    assert_eq!(wire.only().payload, "1000", "nothing of the failed one is left in the buffer");
    Ok(())
}

#[tokio::test]
async fn a_subject_that_is_remembered_is_not_mistaken_for_another() -> Result<()> {
    let (wire, bus) = numbers();
    for subject in ["n.one", "n.one", "n.two", "n.on", "n.one"] {
        bus.publish(subject, 1).await?;
        assert_eq!(wire.sent().pop().map(|message| message.subject.to_string()).as_deref(), Some(subject));
    }
    for bad in ["n..one", "n.*", ""] {
        assert_eq!(bus.publish(bad, 1).await.expect_err(bad).kind(), ErrorKind::InvalidSubject);
    }
    bus.publish("n.one", 1).await?;
    assert_eq!(wire.sent().len(), 6);
    Ok(())
}

#[tokio::test]
async fn what_is_forwarded_keeps_its_bytes_and_headers() -> Result<()> {
    let (wire, bus) = numbers();
    let odd = raw(Some("application/x-theirs"), "\u{0}not ours");
    Publisher::<u32>::forward(&bus, odd.clone().map(Forwarded::Encoded)).await?;
    assert_eq!(wire.only(), odd);
    bus.forward(Message::to(subject!("n"), Forwarded::Value(5_u32))).await?;
    assert_eq!(wire.sent().pop().map(|message| message.payload).as_deref(), Some(&b"5"[..]));
    let error = wire.forward(odd.map(Forwarded::Encoded)).await.expect_err("carries values");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    Ok(())
}

#[tokio::test]
async fn the_callers_message_is_the_callers() -> Result<()> {
    let (wire, bus) = numbers();
    let mine = Message::to(subject!("n"), 1_u32).with_header("X-Tag", "a")?;
    bus.send(mine.clone()).await?;
    assert_eq!(mine, Message::to(subject!("n"), 1).with_header("X-Tag", "a")?);
    assert_eq!(wire.only().headers.len(), 2, "what was added went out with the other one");
    let theirs = Message::to(subject!("n"), 1_u32).with_header(header::CONTENT_TYPE, "text/x-mine")?;
    bus.send(theirs).await?;
    assert_eq!(wire.sent().remove(1).headers.get(&header::CONTENT_TYPE), Some("text/x-mine"));
    Ok(())
}

#[tokio::test]
async fn a_topic_sends_to_one_half_and_receives_from_the_other() -> Result<()> {
    let ((out, publisher), (inn, subscriber)) = (numbers(), numbers());
    let topic = Topic::new(publisher, subscriber);
    let deliveries = Subscriber::<u32>::subscribe(&topic, "n").await?;
    topic.publish("n", 1_u32).await?;
    Publisher::<u32>::flush(&topic).await?;
    inn.send(raw(None, "2")).await?;
    assert_eq!((out.only().payload.as_ref(), out.flushes(), inn.flushes()), (&b"1"[..], 1, 0));
    let delivery = one::<u32, Topic<crate::Numbers, crate::Numbers>>(deliveries).await?;
    assert_eq!(delivery.message.payload, 2);
    Ok(())
}

#[test]
fn a_codec_goes_behind_pointers() {
    let boxed: Box<dyn flux_core::Codec<u32>> = Box::new(Decimal);
    assert_eq!(boxed.decode(&Bytes::from_static(b"9")).ok(), Some(9));
    let encoded: Result<Bytes, Error> = boxed.to_bytes(9, &mut vec![1, 2, 3]);
    assert_eq!(encoded.ok().as_deref(), Some(&b"9"[..]));
}
