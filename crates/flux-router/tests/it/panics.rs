//! Code of the user that panics elsewhere than in a handler: in the text of an error, in a conversion, in a listener.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use flux_core::{
    Codec, Error, ErrorKind, Failure, IntoOutcome, Message, Outcome, Publisher, RemoteError, Requester, Result, Typed,
    header,
};
use flux_mem::Mem;
use flux_router::{Ladder, Route, Router};

use crate::double::{Did, Script, ack};
use crate::start;

/// An error that cannot be printed.
#[derive(Debug)]
struct Mute;

impl fmt::Display for Mute {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words")
    }
}

impl StdError for Mute {}

/// An error, and an outcome, that cannot be converted.
struct Stuck;

impl From<Stuck> for Failure {
    fn from(_: Stuck) -> Self {
        panic!("no way out")
    }
}

impl IntoOutcome for Stuck {
    fn into_outcome(self) -> Outcome {
        panic!("no way out")
    }
}

/// Runs `route` over one that it fails at and one that it does not, until both are settled.
async fn run(script: &Script, route: impl flux_router::AddRoute<(), tower_layer::Identity>) -> Vec<Did> {
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    sender.send(script.delivery(2, 1)).unwrap();
    let router = Router::new().add(route);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    let log = script.until(2).await;
    handle.stop();
    let report = running.await.unwrap().unwrap();
    assert_eq!((report.total().handled, report.withheld), (1, 0), "the worker lives");
    log
}

fn is_retried(did: &Did) -> bool {
    matches!(did, Did::Settled(1, Outcome::NakAfter(_)))
}

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_when_it_is_printed_is_a_failure_like_others() {
    let script = Script::default();
    let route = Route::new("numbers.*", &script, |message: Message<u64>| async move {
        if message.payload == 1 { Err(Failure::from(Mute)) } else { Ok(()) }
    });
    let log = run(&script, route).await;
    assert!(is_retried(&log[0]), "{log:?}");
    assert_eq!(log[1], ack(2));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_when_it_is_printed_leaves_a_letter_and_keeps_its_class() {
    let script = Script::default();
    let route = Route::new("numbers.*", &script, |message: Message<u64>| async move {
        if message.payload == 1 { Err(Failure::permanent(Mute)) } else { Ok(()) }
    });
    let log = run(&script, route).await;
    assert_eq!(log[1], ack(1));
    let letter = &script.letters()[0];
    assert_eq!(letter.headers.get(&header::ERROR_CLASS), Some("permanent"));
    assert_eq!(letter.headers.get(&header::ERROR), Some("the error panicked when it was printed: no words"));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_on_its_way_to_a_failure_is_retried() {
    let script = Script::default();
    let route = Route::new("numbers.*", &script, |message: Message<u64>| async move {
        if message.payload == 1 { Err(Stuck) } else { Ok(()) }
    });
    let log = run(&script, route).await;
    assert!(is_retried(&log[0]), "{log:?}");
    assert_eq!(log[1], ack(2));
}

#[tokio::test(start_paused = true)]
async fn a_result_that_panics_on_its_way_to_an_outcome_is_retried() {
    let script = Script::default();
    let route = Route::new("numbers.*", &script, |message: Message<u64>| async move {
        Ok::<_, Failure>(Some(Stuck).filter(|_| message.payload == 1))
    });
    let log = run(&script, route).await;
    assert!(is_retried(&log[0]), "{log:?}");
    assert_eq!(log[1], ack(2));
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_costs_neither_a_worker_nor_a_delivery() {
    let script = Script::default();
    let sender = script.subscription();
    for number in 1..=2 {
        sender.send(script.delivery(number, 1)).unwrap();
    }
    let heard = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&heard);
    let fails = |_: Message<u64>| async { Err::<(), _>(Failure::permanent("no")) };
    let router = Router::new().route("numbers.*", &script, fails).on_event(move |_, _| {
        counter.fetch_add(1, SeqCst);
        panic!("the listener is broken");
    });
    let (handle, running) = start(router).await;
    let log = script.until(4).await;
    handle.stop();
    let report = running.await.unwrap().unwrap();
    assert_eq!([&log[1], &log[3]], [&ack(1), &ack(2)]);
    assert_eq!((report.total().dead_lettered, heard.load(SeqCst)), (2, 3), "live, and two letters");
}

/// A publisher that panics once.
#[derive(Clone)]
struct Shaky(Script, Arc<AtomicU64>);

impl Publisher<u64> for Shaky {
    type Receipt = ();

    async fn send(&self, message: Message<u64>) -> Result<()> {
        assert!(self.1.fetch_add(1, SeqCst) > 0, "not today");
        self.0.send(message).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_publisher_of_dead_letters_that_panics_leaves_the_message_where_it_was() {
    let script = Script::default();
    let sender = script.subscription();
    for number in 1..=2 {
        sender.send(script.delivery(number, 1)).unwrap();
    }
    let fails = |_: Message<u64>| async { Err::<(), _>(Failure::permanent("no")) };
    let letters = Shaky(script.clone(), Arc::default());
    let (handle, running) =
        start(Router::new().add(Route::receiving("numbers.*", &script, fails).dead_letters_through(letters))).await;
    let log = script.until(3).await;
    handle.stop();
    running.await.unwrap().unwrap();
    assert!(is_retried(&log[0]), "{log:?}");
    assert!(matches!(log[1], Did::Published(_)), "{log:?}");
    assert_eq!(log[2], ack(2));
}

#[tokio::test]
async fn a_request_whose_error_panics_when_it_is_printed_is_answered() {
    let bus = Mem::new();
    let answer = |request: Message<u64>| async move {
        if request.payload == 1 { Err(Failure::permanent(Mute)) } else { Ok(request.payload) }
    };
    let (handle, running) = start(Router::new().respond("n", &bus, answer)).await;
    let error = Requester::<u64, u64>::request(&bus, "n", 1).await.unwrap_err();
    let remote = error.remote().unwrap();
    assert_eq!(remote.code(), RemoteError::INTERNAL);
    assert!(remote.message().contains("no words"), "{remote}");
    assert_eq!(Requester::<u64, u64>::request(&bus, "n", 2).await.unwrap(), 2);
    handle.stop();
    running.await.unwrap().unwrap();
}

/// Panics at what it does not know, as a hand-written `Deserialize` may.
#[derive(Debug, Clone)]
struct Rash;

impl Codec<u64> for Rash {
    fn content_type(&self) -> &'static str {
        "text/plain"
    }

    fn encode(&self, value: &u64, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.extend(value.to_string().bytes());
        Ok(())
    }

    fn decode(&self, bytes: &bytes::Bytes) -> Result<u64> {
        let text = std::str::from_utf8(bytes).map_err(|error| Error::new(ErrorKind::Codec, error.to_string()))?;
        Ok(text.parse().expect("digits"))
    }
}

#[tokio::test]
async fn a_codec_that_panics_makes_the_message_undecodable() {
    let wire = Mem::new();
    let mut letters = std::pin::pin!(flux_core::Subscriber::<bytes::Bytes>::subscribe(&wire, "dlq.>").await.unwrap());
    let bus = Typed::new(wire.clone(), Rash);
    let route = Route::new("n", &bus, |_: Message<u64>| async { Ok::<(), Failure>(()) }).ladder(Ladder::once());
    let (handle, running) = start(Router::new().add(route)).await;
    wire.publish("n", bytes::Bytes::from_static(b"seven")).await.unwrap();
    bus.publish("n", 8).await.unwrap();
    let letter = flux_core::next(letters.as_mut()).await.unwrap().unwrap();
    assert_eq!(&letter.message.payload[..], b"seven");
    assert_eq!(letter.message.headers.get(&header::ERROR_CLASS), Some("undecodable"));
    handle.settled().await.unwrap();
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.undecodable, total.handled), (1, 1));
}
