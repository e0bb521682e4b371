//! Operators between transports, run by the router.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use flux_core::{
    Error, ErrorKind, Failure, HeaderName, Message, Outcome, Publisher, Result, Stage, Subscriber, next, subject,
};
use flux_mem::{Mem, StreamConfig};
use flux_router::Router;
use flux_stage::{
    BestEffort, FanOutError, Layered, Merged, NoStages, OrElse, Peek, RoundRobin, SendAll, SettleBy, StageExt, pipe,
    pipe_flat_map, pipe_map,
};

use crate::double::{Act, Double};

/// Keeps what is sent; fails when the script says so.
#[derive(Debug, Clone, Default)]
struct Sink<T> {
    sent: Arc<Mutex<Vec<Message<T>>>>,
    script: Double,
}

impl<T> Sink<T> {
    fn failing(times: u32) -> Self {
        let script = Double::new((0..times).map(Act::Fail));
        Self { sent: Arc::default(), script }
    }

    fn sent(&self) -> usize {
        self.sent.lock().unwrap().len()
    }
}

impl<T: Send> Publisher<T> for Sink<T> {
    type Receipt = usize;

    async fn send(&self, message: Message<T>) -> Result<usize> {
        self.script.process(0).await.map_err(|fault| Error::new(ErrorKind::Unavailable, "down").with_source(fault))?;
        let mut sent = self.sent.lock().unwrap();
        sent.push(message);
        Ok(sent.len())
    }
}

async fn words(text: Bytes) -> Result<Vec<Bytes>> {
    Ok(text.split(|byte| *byte == b' ').map(Bytes::copy_from_slice).collect())
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_publishes_the_same_ids_and_the_stream_drops_the_copies() {
    let source = Mem::stream(StreamConfig::new("texts", ["texts.>"])).unwrap();
    let target = Mem::stream(StreamConfig::new("words", ["words"])).unwrap();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    // The pipe has published all three words when it fails.
    let handler = pipe_flat_map("split", target.clone(), words)
        .to("words")
        .unwrap()
        .try_map(move |()| if counted.fetch_add(1, SeqCst) < 2 { Err(Failure::retry("too late")) } else { Ok(()) });
    let router = Router::new().route("texts.*", &source, handler);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    let text = Message::to(subject!("texts.new"), Bytes::from_static(b"one two one")).with_id("t-1").unwrap();
    source.send(text).await.unwrap();
    handle.settled().await.unwrap();
    handle.stop();
    running.await.unwrap().unwrap();
    assert_eq!(attempts.load(SeqCst), 3);

    let last = Message::to(subject!("words"), Bytes::from_static(b"last"));
    assert_eq!(target.send(last).await.unwrap().sequence, 4, "three words and no copy of them");
}

#[tokio::test]
async fn a_pipe_keeps_subject_and_payload_and_forwards_what_it_is_told_to() {
    let sink = Sink::default();
    let tenant = HeaderName::new("Tenant").unwrap();
    let handler = pipe("copy", sink.clone()).forwarding(tenant.clone()).with_header("Via", "copy").unwrap();
    let message = Message::to(subject!("orders.7"), 7_u32).with_header("Tenant", "a").unwrap();
    handler.process(message.with_header("Secret", "b").unwrap()).await.unwrap();
    let sent = sink.sent.lock().unwrap();
    assert_eq!((sent[0].subject.as_str(), sent[0].payload, sent[0].id()), ("orders.7", 7, None));
    assert_eq!(sent[0].headers.iter().collect::<Vec<_>>(), [("Via", "copy"), ("Tenant", "a")]);
    assert!(pipe("copy", ()).to("a b").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_pipe_in_a_route_filters_retries_and_buries_what_its_stage_refuses() {
    let source = Mem::stream(StreamConfig::new("texts", ["texts.>", "dlq.>"])).unwrap();
    let target = Mem::new();
    let mut shouted: std::pin::Pin<Box<flux_mem::MemDeliveries<String>>> =
        Box::pin(target.subscribe("loud").await.unwrap());
    let shout = |text: Bytes| async move {
        String::from_utf8(text.to_vec()).map(|text| text.to_uppercase()).map_err(Failure::permanent)
    };
    let handler = pipe_map("shout", target.clone(), shout).to("loud").unwrap();
    let handler = handler.only_if(|text: &Message<Bytes>| !text.payload.is_empty());
    let router = Router::new().route("texts.*", &source, handler);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    for text in [&b""[..], b"\xff", b"hello"] {
        source.publish("texts.new", Bytes::from_static(text)).await.unwrap();
    }
    handle.settled().await.unwrap();
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.handled, total.failed_permanent, total.dead_lettered), (2, 1, 1));
    assert_eq!(next(shouted.as_mut()).await.unwrap().unwrap().message.payload, "HELLO", "neither of the others came");
}

#[tokio::test]
async fn a_pipe_fails_with_its_stage_or_its_publisher() {
    let sink = Sink::<u32>::failing(1);
    let handler = pipe_map("double", sink.clone(), |n: u32| async move {
        if n > 9 { Err(Failure::permanent("too large")) } else { Ok(n * 2) }
    });
    let message = |n: u32| Message::to(subject!("numbers"), n);
    assert_eq!(handler.process(message(1)).await.unwrap_err().to_string(), "down: Boom(0)");
    assert_eq!(handler.process(message(10)).await.unwrap_err().to_string(), "too large");
    handler.process(message(2)).await.unwrap();
    assert_eq!(sink.sent.lock().unwrap()[0].payload, 4);

    let filtered = handler.only_if(|message: &Message<u32>| message.payload == 3);
    filtered.process(message(2)).await.unwrap();
    filtered.process(message(3)).await.unwrap();
    assert_eq!(sink.sent(), 2);
}

#[tokio::test]
async fn sending_to_all_reports_each_failure_and_sends_what_it_can() {
    let sinks = [Sink::default(), Sink::failing(1), Sink::default()];
    let all = SendAll::new(sinks.clone());
    let error = all.publish("a", 1_u32).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    let failures = std::error::Error::source(&error).unwrap().downcast_ref::<FanOutError<Error>>().unwrap();
    assert_eq!((failures.failures()[0].index, failures.of()), (1, 3));
    assert_eq!(sinks.each_ref().map(Sink::sent), [1, 0, 1]);
    assert_eq!(all.publish("a", 2).await.unwrap(), [2, 1, 2]);
}

#[tokio::test]
async fn best_effort_succeeds_as_long_as_one_does() {
    let sinks = [Sink::failing(2), Sink::failing(1)];
    let some = BestEffort::new(sinks.clone()).unwrap();
    assert_eq!(some.publish("a", 1_u32).await.unwrap_err().to_string(), "send: unavailable");
    let receipt = some.publish("a", 1).await.unwrap();
    assert_eq!(receipt.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true]);
    assert_eq!(BestEffort::<Mem>::new([]).unwrap_err(), NoStages);
}

#[tokio::test]
async fn publishers_take_turns() {
    let sinks = [Sink::default(), Sink::default()];
    let turns = RoundRobin::new(sinks.clone()).unwrap();
    for n in 0..5_u32 {
        turns.publish("a", n).await.unwrap();
    }
    assert_eq!(sinks.each_ref().map(Sink::sent), [3, 2]);
}

#[tokio::test]
async fn merged_subscriptions_deliver_what_each_does_and_end_when_all_have() {
    let (left, right) = (Mem::new(), Mem::new());
    let merged = Merged::new([left.clone(), right.clone()]);
    let mut deliveries = Box::pin(Subscriber::<u32>::subscribe(&merged, "a.*").await.unwrap());
    left.publish("a.1", 1_u32).await.unwrap();
    right.publish("a.2", 2_u32).await.unwrap();
    let mut payloads = Vec::new();
    for _ in 0..2 {
        payloads.push(next(deliveries.as_mut()).await.unwrap().unwrap().message.payload);
    }
    payloads.sort_unstable();
    assert_eq!(payloads, [1, 2]);
    left.close().await;
    right.publish("a.3", 3_u32).await.unwrap();
    assert_eq!(next(deliveries.as_mut()).await.unwrap().unwrap().message.payload, 3);
    right.close().await;
    assert!(next(deliveries.as_mut()).await.is_none());
}

#[tokio::test]
async fn a_policy_turns_errors_into_outcomes() {
    let handler = SettleBy::new(
        |n: u32| async move { if n > 0 { Err(n) } else { Ok(()) } },
        |n| {
            if n > 1 { Outcome::Nak } else { Outcome::term("one") }
        },
    );
    assert_eq!(handler.process(0).await.unwrap(), Outcome::Ack);
    assert_eq!(handler.process(1).await.unwrap(), Outcome::term("one"));
    assert_eq!(handler.process(2).await.unwrap(), Outcome::Nak);
}

#[tokio::test]
async fn stages_around_a_publisher_see_every_message() {
    let sink = Sink::failing(1);
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let publisher = Layered::new(sink.clone(), |sending| {
        OrElse::new(
            Peek::new(sending, move |_: &Message<u32>| {
                counted.fetch_add(1, SeqCst);
            }),
            |error: Error| if error.kind() == ErrorKind::Unavailable { Ok(0) } else { Err(error) },
        )
    });
    assert_eq!(publisher.publish("a", 1).await.unwrap(), 0);
    assert_eq!(publisher.publish("a", 1).await.unwrap(), 1);
    assert_eq!(seen.load(SeqCst), 2);
}

#[cfg(feature = "retry")]
#[tokio::test(start_paused = true)]
async fn a_publisher_with_retry() {
    use flux_stage::Retry;

    let sink = Sink::failing(2);
    let publisher = Layered::new(sink.clone(), |sending| Retry::new(sending).with_attempts(3));
    assert_eq!(publisher.publish("a", 1_u32).await.unwrap(), 1);

    let publisher = Layered::new(Sink::failing(2), |sending| Retry::new(sending).with_attempts(2));
    let error = publisher.publish("a", 1_u32).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("attempts"), "{error:?}");
}
