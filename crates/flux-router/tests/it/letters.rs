//! Dead letters: stored before the original is let go, and with everything an operator needs on them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flux_core::{Delivery, Error, ErrorKind, Failure, Message, Outcome, header};
use flux_router::{Event, Ladder, Report, Route, Router, Undecodable};

use crate::digits::Digits;
use crate::double::{Did, Script, ack, subject};
use crate::start;

async fn run(script: &Script, route: impl flux_router::AddRoute<(), tower_layer::Identity>, things: usize) -> Report {
    let router = Router::new().add(route);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    script.until(things).await;
    handle.stop();
    running.await.unwrap().unwrap()
}

async fn fail(_: Message<u64>) -> Result<(), Failure> {
    Err(Failure::permanent(
        Error::new(ErrorKind::Rejected, "no such account").with_source(std::io::Error::other("eof")),
    ))
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_stored_and_then_acked() {
    let script = Script::default();
    let sender = script.subscription();
    let message = Message::new("numbers.new", 5).unwrap().with_id("five").unwrap();
    sender.send(script.delivery_of(message, 3)).unwrap();
    let report = run(&script, Route::new("numbers.*", &script, fail).named("bookings"), 2).await;
    let log = script.log();
    let Did::Published(letter) = &log[0] else { panic!("{log:?}") };
    assert_eq!(log[1], ack(5));
    assert_eq!((letter.subject.as_str(), letter.payload, letter.id()), ("dlq.numbers.new", 5, Some("five")));
    for (name, value) in [
        (header::ERROR, "no such account: eof"),
        (header::ERROR_CLASS, "permanent"),
        (header::RETRY_COUNT, "3"),
        (header::ORIGINAL_SUBJECT, "numbers.new"),
        (header::HANDLER, "bookings"),
        (header::STREAM, "numbers"),
        (header::SEQUENCE, "7"),
    ] {
        assert_eq!(letter.headers.get(&name), Some(value), "{name:?}");
    }
    assert!(letter.headers.get(&header::FAILED_AT).is_some_and(|time| time.ends_with('Z')));
    assert_eq!(report.total().dead_lettered, 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_that_fails_is_stored() {
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(1, 10)).unwrap();
    run(
        &script,
        Route::new("numbers.*", &script, |_: Message<u64>| async { Err::<(), _>(Failure::retry("again")) }),
        2,
    )
    .await;
    assert_eq!(script.letters()[0].headers.get(&header::ERROR_CLASS), Some("retry"));
    assert_eq!(script.log()[1], ack(1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_on_the_last_attempt_leaves_a_letter_too() {
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    let route = Route::new("numbers.*", &script, |_: Message<u64>| async { panic!("boom") as Result<(), Failure> });
    run(&script, route.ladder(Ladder::once()), 2).await;
    let letter = &script.letters()[0];
    assert_eq!(letter.headers.get(&header::ERROR_CLASS), Some("panic"));
    assert_eq!(letter.headers.get(&header::ERROR), Some("boom"));
}

#[tokio::test(start_paused = true)]
async fn a_crash_on_the_last_attempt_leaves_a_letter_without_another_call() {
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(1, 11)).unwrap();
    let route = Route::new("numbers.*", &script, |_: Message<u64>| async { panic!("called") as Result<(), Failure> });
    let report = run(&script, route, 2).await;
    assert_eq!(script.letters()[0].headers.get(&header::ERROR_CLASS), Some("exhausted"));
    assert_eq!(report.total().failed(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_original_is_not_acked_when_the_letter_was_not_stored() {
    let script = Script::default();
    script.refuse_publishing(1);
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    let report = run(&script, Route::new("numbers.*", &script, fail), 1).await;
    assert!(matches!(script.log()[0], Did::Settled(1, Outcome::NakAfter(_))), "{:?}", script.log());
    assert_eq!((report.total().dead_lettered, report.total().lost), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_transport_hears_of_progress_while_a_letter_is_being_stored() {
    let script = Script::storing_for(Duration::from_secs(35));
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    run(&script, Route::new("numbers.*", &script, fail), 5).await;
    let log = script.log();
    assert_eq!(log[..3], [Did::Progress(1), Did::Progress(1), Did::Progress(1)], "every 10 of the 30 s to settle");
    assert!(matches!(log[3], Did::Published(_)), "{log:?}");
    assert_eq!(log[4], ack(1));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_fails_is_not_buried_twice() {
    let script = Script::default();
    let sender = script.subscription();
    let letter =
        Message::new("dlq.numbers.new", 1).unwrap().with_header(header::ORIGINAL_SUBJECT, "numbers.new").unwrap();
    sender.send(script.delivery_of(letter, 1)).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let router = Router::new().route("dlq.>", &script, fail).on_event(move |_, event| {
        if let Event::NotDeadLettered { error, .. } = event {
            heard.lock().unwrap().push((error.is_some(), event.to_string()));
        }
    });
    let (handle, running) = start(router).await;
    script.until(1).await;
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().total().lost, 1);
    assert!(matches!(script.log()[0], Did::Settled(1, Outcome::Term(_))));
    assert!(script.letters().is_empty());
    let text = "`dlq.numbers.new` was given up and could not be stored as a dead letter: it is one itself, and none is made of one";
    assert_eq!(*told.lock().unwrap(), [(true, text.to_owned())], "the route has dead letters");
}

#[tokio::test(start_paused = true)]
async fn the_subject_can_be_chosen_and_letters_can_be_left_out() {
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    run(&script, Route::new("numbers.*", &script, fail).dead_letters("graveyard"), 2).await;
    assert_eq!(script.letters()[0].subject, subject("graveyard"));
    let things = script.log().len() + 1;
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    let report = run(&script, Route::new("numbers.*", &script, fail).without_dead_letters(), things).await;
    assert_eq!((script.letters().len(), report.total().lost), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_long_subject_is_cut_where_it_stays_a_subject() {
    let script = Script::default();
    for (original, kept) in [
        (format!("{}.bc", "a".repeat(1_019)), "a".repeat(1_019)),
        (format!("{}é.b", "a".repeat(1_019)), "a".repeat(1_019)),
        (format!("{}.b.c", "a".repeat(1_018)), format!("{}.b", "a".repeat(1_018))),
    ] {
        let sender = script.subscription();
        sender.send(script.delivery_of(Message::new(original.as_str(), 1).unwrap(), 1)).unwrap();
        let report = run(&script, Route::new("*.>", &script, fail), script.log().len() + 2).await;
        assert_eq!((report.total().dead_lettered, report.total().lost), (1, 0));
        let letter = script.letters().pop().unwrap();
        assert_eq!(letter.subject, subject(&format!("dlq.{kept}")));
        assert_eq!(letter.headers.get(&header::ORIGINAL_SUBJECT), Some(original.as_str()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_flux_itself_wrote_on_a_message_is_left_out_last() {
    let script = Script::default();
    let sender = script.subscription();
    let message = Message::new("numbers.new", 1).unwrap().with_id("i".repeat(10_000)).unwrap();
    let message = message.with_header(header::CORRELATION_ID, "c".repeat(20_000)).unwrap();
    let message = message.with_header("X-One", "1".repeat(9_000)).unwrap();
    let message = message.with_header("X-Two", "2".repeat(8_000)).unwrap();
    let message = message.with_header("X-Three", "3".repeat(10_000)).unwrap();
    sender.send(script.delivery_of(message, 1)).unwrap();
    let sender = script.subscription();
    let message = Message::new("numbers.new", 1).unwrap().with_id("i".repeat(60_000)).unwrap();
    sender.send(script.delivery_of(message, 1)).unwrap();
    for _ in 0..2 {
        run(&script, Route::new("numbers.*", &script, fail), script.log().len() + 2).await;
    }
    let [letter, huge] = &script.letters()[..] else { panic!("two letters") };
    assert_eq!(letter.headers.get(&header::DROPPED_HEADERS), Some("X-Three"));
    let lengths =
        ["X-Message-ID", "X-Correlation-ID", "X-One", "X-Two"].map(|name| letter.headers.get(name).map(str::len));
    assert_eq!(lengths, [Some(10_000), Some(20_000), Some(9_000), Some(8_000)]);
    assert_eq!(huge.headers.get(&header::DROPPED_HEADERS), Some("X-Message-ID"), "a stream writes an id twice");
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_drop_is_acked_without_a_letter() {
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    let route = Route::new("numbers.*", &script, |_: Message<u64>| async { Err::<(), _>(Failure::drop("stale")) });
    let report = run(&script, route, 1).await;
    assert_eq!(script.log()[0], ack(1));
    assert_eq!(report.total().failed_drop, 1);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_decode_is_stored_with_its_bytes_or_stops_the_route() {
    use flux_core::{Publisher as _, Subscriber as _};
    let wire = flux_mem::Mem::new();
    let mut letters = std::pin::pin!(wire.subscribe("dlq.>").await.unwrap());
    let bus = flux_core::Typed::new(wire.clone(), Digits);
    let ok = |_: Message<u64>| async { Ok::<(), Failure>(()) };
    let router = Router::new().route("numbers.*", &bus, ok);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    let bytes = bytes::Bytes::from_static(b"\xff\x00 not digits");
    wire.publish("numbers.new", bytes.clone()).await.unwrap();
    let letter: Delivery<bytes::Bytes> = flux_core::next(letters.as_mut()).await.unwrap().unwrap();
    assert_eq!((letter.message.subject.as_str(), &letter.message.payload), ("dlq.numbers.new", &bytes));
    assert_eq!(letter.message.headers.get(&header::ERROR_CLASS), Some("undecodable"));
    handle.settled().await.unwrap();
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().total().undecodable, 1);

    let router = Router::new().add(Route::new("numbers.*", &bus, ok).undecodable(Undecodable::Stop));
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    wire.publish("numbers.new", bytes).await.unwrap();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(error.to_string().contains("route `numbers.*`"), "{error}");
}
