//! At least once, on a stream: whatever goes wrong with a handler, a router or a dead letter, no message is lost.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flux_core::{ErrorKind, Failure, HeaderValue, Message, Publisher as _, Requester as _, Topic, Typed, header};
use flux_mem::{ConsumerConfig, Discard, Mem, MemConsumer, MemStream, StreamConfig};
use flux_router::{Ladder, Route, Router, Undecodable};
use tokio::time::Instant;

use crate::digits::Digits;
use crate::double::idle;
use crate::start;

fn config() -> StreamConfig {
    StreamConfig::new("numbers", ["numbers.>", "dlq.>", "next.>"])
}

fn stream() -> MemStream {
    Mem::stream(config()).unwrap()
}

/// The consumer that survives its routers.
fn durable(stream: &MemStream) -> Typed<MemConsumer, Digits> {
    stream.consumer(ConsumerConfig::durable("work").with_filter("numbers.>")).unwrap().typed(Digits)
}

/// The same, with the stream for its dead letters.
fn durable_topic(stream: &MemStream) -> Topic<Typed<MemStream, Digits>, Typed<MemConsumer, Digits>> {
    Topic::new(stream.clone().typed(Digits), durable(stream))
}

/// Runs a handler that takes whatever is left, however often it was delivered before, and returns what it got.
async fn rest(stream: &MemStream) -> Vec<u64> {
    let got = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&got);
    let route = Route::receiving("numbers.>", &durable(stream), move |message: Message<u64>| {
        kept.lock().unwrap().push(message.payload);
        async { Ok::<(), Failure>(()) }
    });
    let route = route.ladder(Ladder::new().with_attempts(u32::MAX));
    let (handle, running) = start(Router::new().add(route)).await;
    handle.settled().await.unwrap();
    handle.stop();
    running.await.unwrap().unwrap();
    Arc::try_unwrap(got).unwrap().into_inner().unwrap()
}

/// The dead letters in the stream.
fn letters(stream: &MemStream) -> Vec<Message<Bytes>> {
    let all = (1..=stream.info().last_sequence).filter_map(|sequence| stream.get(sequence));
    all.filter(|message| message.subject.as_str().starts_with("dlq.")).collect()
}

#[tokio::test(start_paused = true)]
async fn ten_deliveries_with_growing_delays_then_a_letter_with_the_bytes_as_they_came() {
    let stream = stream();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&calls);
    let route = Route::new("numbers.>", &stream.clone().typed(Digits), move |_: Message<u64>| {
        written.lock().unwrap().push(Instant::now());
        async { Err::<(), _>(Failure::retry("not now")) }
    });
    let (handle, running) = start(Router::new().add(route)).await;
    stream.publish("numbers.new", Bytes::from_static(b"0007")).await.unwrap();
    handle.settled().await.unwrap();
    let calls = calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 10);
    for (attempt, pair) in calls.windows(2).enumerate() {
        let (waited, step) = ((pair[1] - pair[0]).as_millis(), 100 << attempt);
        assert!((step..=2 * step + 1).contains(&waited), "after attempt {}: {waited} ms", attempt + 1);
    }
    let [letter] = &letters(&stream)[..] else { panic!("one letter") };
    assert_eq!((letter.subject.as_str(), &letter.payload[..]), ("dlq.numbers.new", &b"0007"[..]));
    assert_eq!(letter.headers.get(&header::RETRY_COUNT), Some("10"));
    assert_eq!(
        (letter.headers.get(&header::STREAM), letter.headers.get(&header::SEQUENCE)),
        (Some("numbers"), Some("1"))
    );
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.failed_retry, total.retried, total.dead_lettered, total.lost), (10, 9, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_dropped_router_was_handling_comes_again_after_the_ack_wait() {
    let stream = stream();
    let route = Route::receiving("numbers.>", &durable(&stream), |_: Message<u64>| {
        std::future::pending::<Result<(), Failure>>()
    });
    let (_, running) = start(Router::new().add(route)).await;
    for number in ["1", "2"] {
        stream.publish("numbers.new", Bytes::from(number)).await.unwrap();
    }
    idle().await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    let started = Instant::now();
    let mut got = rest(&stream).await;
    assert!(started.elapsed() >= Duration::from_secs(29), "its time to settle ran out first");
    got.sort_unstable();
    assert_eq!(got, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_outlives_the_drain_comes_again() {
    let stream = stream();
    let route = Route::receiving("numbers.>", &durable(&stream), |_: Message<u64>| {
        std::future::pending::<Result<(), Failure>>()
    });
    let (handle, running) = start(Router::new().add(route).drain_for(Duration::from_secs(5))).await;
    stream.publish("numbers.new", Bytes::from_static(b"1")).await.unwrap();
    idle().await;
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().withheld, 1);
    assert_eq!(rest(&stream).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_while_a_handler_publishes_loses_nothing() {
    let (stream, next) = (stream(), Mem::with_config(flux_mem::MemConfig::new().with_capacity(1)));
    let mut full = std::pin::pin!(flux_core::Subscriber::<u64>::subscribe(&next, "next").await.unwrap());
    let onward = next.clone();
    let route = Route::receiving("numbers.>", &durable(&stream), move |message: Message<u64>| {
        let onward = onward.clone();
        async move { onward.publish("next", message.payload).await.map(drop).map_err(Failure::from) }
    });
    let (handle, running) = start(Router::new().add(route).drain_for(Duration::from_secs(5))).await;
    for number in ["1", "2", "3"] {
        stream.publish("numbers.new", Bytes::from(number)).await.unwrap();
    }
    idle().await;
    handle.stop();
    idle().await;
    assert!(!running.is_finished(), "the second is being published, and there is no room");
    assert_eq!(flux_core::next(full.as_mut()).await.unwrap().unwrap().message.payload, 1);
    let report = running.await.unwrap().unwrap();
    assert_eq!((report.total().handled, report.withheld), (2, 0), "room came, so the second was finished");
    assert_eq!(flux_core::next(full.as_mut()).await.unwrap().unwrap().message.payload, 2);
    assert_eq!(rest(&stream).await, [3], "the third was not taken, or is delivered again");
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_no_stream_takes_keeps_the_message_where_it_is() {
    let stream = Mem::stream(StreamConfig::new("numbers", ["numbers.>"])).unwrap();
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    let route = Route::receiving("numbers.>", &durable(&stream), |_: Message<u64>| async {
        Err::<(), _>(Failure::permanent("no such account"))
    });
    let router = Router::new()
        .add(route.dead_letters_through(stream.clone().typed(Digits)))
        .on_event(move |_, event| heard.lock().unwrap().push(event.to_string()));
    let (handle, running) = start(router).await;
    stream.publish("numbers.new", Bytes::from_static(b"1")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert!(total.retried > 3, "it is tried again and again: {total:?}");
    assert_eq!((total.dead_lettered, total.lost), (0, 0));
    let told = events.lock().unwrap()[1].clone();
    assert!(told.contains("`numbers.new`") && told.contains("dlq.numbers.new"), "{told}");
    assert_eq!(rest(&stream).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_of_letters_holds_the_message_until_there_is_room() {
    let (stream, grave) =
        (stream(), StreamConfig::new("grave", ["dlq.>"]).with_discard(Discard::New).with_max_messages(1));
    let grave = Mem::stream(grave).unwrap();
    grave.publish("dlq.old", Bytes::new()).await.unwrap();
    assert_eq!(grave.publish("dlq.old", Bytes::new()).await.unwrap_err().kind(), ErrorKind::Full);
    let route = Route::receiving("numbers.>", &durable(&stream), |_: Message<u64>| async {
        Err::<(), _>(Failure::permanent("no such account"))
    });
    let route = route.dead_letters_through(grave.clone().typed(Digits));
    let (handle, running) = start(Router::new().add(route)).await;
    stream.publish("numbers.new", Bytes::from_static(b"1")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((handle.metrics().total().dead_lettered, letters(&grave).len()), (0, 1));
    assert_eq!(grave.purge(">").unwrap(), 1);
    handle.settled().await.unwrap();
    assert_eq!(letters(&grave)[0].subject, "dlq.numbers.new");
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().total().dead_lettered, 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_delivery_is_held_until_its_letter_is_stored() {
    let stream = stream();
    let grave = StreamConfig::new("grave", ["dlq.>"]).with_discard(Discard::New).with_max_messages(1);
    let grave = Mem::stream(grave).unwrap();
    grave.publish("dlq.old", Bytes::new()).await.unwrap();
    let limited = ConsumerConfig::durable("work").with_filter("numbers.>").with_max_deliver(2);
    let limited = stream.consumer(limited).unwrap().typed(Digits);
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let route = Route::receiving("numbers.>", &limited, move |_: Message<u64>| {
        counted.fetch_add(1, SeqCst);
        async { Err::<(), _>(Failure::retry("not now")) }
    });
    let route = route.dead_letters_through(grave.clone().typed(Digits));
    let (handle, running) = start(Router::new().add(route)).await;
    stream.publish("numbers.new", Bytes::from_static(b"0007")).await.unwrap();
    // Many times the ack wait: the transport is told all the while that the delivery is being worked on.
    tokio::time::sleep(Duration::from_secs(600)).await;
    let total = handle.metrics().total();
    assert!(total.retried > 10, "it is tried again and again: {total:?}");
    assert_eq!((total.dead_lettered, total.lost, calls.load(SeqCst)), (0, 0, 2));
    assert_eq!(grave.purge(">").unwrap(), 1);
    handle.settled().await.unwrap();
    let [letter] = &letters(&grave)[..] else { panic!("one letter") };
    assert_eq!((letter.subject.as_str(), &letter.payload[..]), ("dlq.numbers.new", &b"0007"[..]));
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.dead_lettered, total.lost), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_payload_too_large_for_the_next_hop_is_a_letter_at_once() {
    let stream = stream();
    let small = Mem::stream(StreamConfig::new("next", ["next.>"]).with_max_message_bytes(64)).unwrap();
    let (calls, onward) = (Arc::new(AtomicU64::new(0)), small.clone());
    let counted = Arc::clone(&calls);
    let route = Route::new("numbers.>", &stream.clone().typed(Digits), move |_: Message<u64>| {
        counted.fetch_add(1, SeqCst);
        let onward = onward.clone();
        async move { onward.publish("next.large", Bytes::from(vec![b'1'; 65])).await.map(drop).map_err(Failure::from) }
    });
    let (handle, running) = start(Router::new().add(route)).await;
    stream.publish("numbers.new", Bytes::from_static(b"1")).await.unwrap();
    handle.settled().await.unwrap();
    assert_eq!(calls.load(SeqCst), 1, "no retry makes it smaller");
    let letters = letters(&stream);
    let reason = letters[0].headers.get(&header::ERROR).unwrap();
    assert!(reason.contains("next.large") && reason.contains("64"), "{reason}");
    assert_eq!(letters[0].headers.get(&header::ERROR_CLASS), Some("permanent"));
    handle.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_makes_a_bad_subject_or_header_leaves_a_letter_at_once() {
    for (subject, header, kind) in [
        ("next..x", "fine".to_owned(), "`next..x` is not a valid subject"),
        ("next.x", "a\r\nX-Evil: 1".to_owned(), "control"),
        ("next.x", "y".repeat(HeaderValue::MAX_LEN + 1), "over the limit of 65535"),
    ] {
        let stream = stream();
        let onward = stream.clone();
        let route = Route::new("numbers.>", &stream.clone().typed(Digits), move |_: Message<u64>| {
            let (onward, header) = (onward.clone(), header.clone());
            async move {
                let message = Message::new(subject, Bytes::new())?.with_header("X-Note", header)?;
                onward.send(message).await?;
                Ok::<(), Failure>(())
            }
        });
        let (handle, running) = start(Router::new().add(route)).await;
        stream.publish("numbers.new", Bytes::from_static(b"1")).await.unwrap();
        handle.settled().await.unwrap();
        let [letter] = &letters(&stream)[..] else { panic!("one letter") };
        let reason = letter.headers.get(&header::ERROR).unwrap();
        assert!(reason.contains(kind), "{reason}");
        assert_eq!(letter.headers.get(&header::ERROR_CLASS), Some("permanent"));
        handle.stop();
        let total = running.await.unwrap().unwrap().total();
        assert_eq!((total.failed_permanent, total.retried), (1, 0), "no retry mends it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_responder_that_is_gone_holds_the_message_until_it_is_back() {
    let (stream, names) = (stream(), Mem::new());
    let asking = names.clone();
    let route = Route::new("numbers.>", &stream.clone().typed(Digits), move |message: Message<u64>| {
        let asking = asking.clone();
        async move {
            let name: String = asking.request("names", message.payload).await?;
            assert_eq!(name, "seven");
            Ok::<(), Failure>(())
        }
    });
    let (handle, running) = start(Router::new().add(route)).await;
    stream.publish("numbers.new", Bytes::from_static(b"7")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(handle.metrics().total().failed_retry > 0);
    let name = |_: Message<u64>| async { Ok::<_, Failure>("seven".to_owned()) };
    let (responder, responds) = start(Router::new().respond("names", &names, name)).await;
    handle.settled().await.unwrap();
    for handle in [handle, responder] {
        handle.stop();
    }
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.handled, total.dead_lettered), (1, 0));
    responds.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_was_closed_first_sends_the_message_back_and_not_to_the_letters() {
    let (stream, next) = (stream(), Mem::new());
    let onward = next.clone();
    let route = Route::new("numbers.>", &durable_topic(&stream), move |message: Message<u64>| {
        let onward = onward.clone();
        async move { onward.publish("next", message.payload).await.map(drop).map_err(Failure::from) }
    });
    let (handle, running) = start(Router::new().add(route)).await;
    next.close().await;
    stream.publish("numbers.new", Bytes::from_static(b"1")).await.unwrap();
    idle().await;
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.retried, total.dead_lettered), (1, 0), "the message is not to blame");
    assert_eq!(rest(&stream).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_content_type_is_a_letter_with_its_bytes_and_headers() {
    let stream = stream();
    let ok = |_: Message<u64>| async { Ok::<(), Failure>(()) };
    let (handle, running) = start(Router::new().route("numbers.>", &stream.clone().typed(Digits), ok)).await;
    let message = Message::new("numbers.new", Bytes::from_static(b"<n>1</n>")).unwrap();
    stream.send(message.with_header("Content-Type", "application/xml").unwrap()).await.unwrap();
    handle.settled().await.unwrap();
    let letters = letters(&stream);
    assert_eq!(&letters[0].payload[..], b"<n>1</n>");
    assert_eq!(letters[0].headers.get("content-type"), Some("application/xml"));
    assert_eq!(letters[0].headers.get(&header::ERROR_CLASS), Some("undecodable"));
    let reason = letters[0].headers.get(&header::ERROR).unwrap();
    assert!(reason.contains("application/xml") && reason.contains("text/plain"), "{reason}");
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().total().undecodable, 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_on_every_delivery_ends_as_a_letter() {
    let stream = stream();
    let panics = |_: Message<u64>| async { panic!("boom") as Result<(), Failure> };
    // Called again in place, the handler gets a copy of the value; the letter still has the bytes.
    let route = Route::new("numbers.>", &stream.clone().typed(Digits), panics).ladder(Ladder::new().with_in_place(2));
    let (handle, running) = start(Router::new().add(route)).await;
    stream.publish("numbers.new", Bytes::from_static(b"0001")).await.unwrap();
    handle.settled().await.unwrap();
    let letters = letters(&stream);
    assert_eq!(&letters[0].payload[..], b"0001");
    assert_eq!(letters[0].headers.get(&header::ERROR), Some("boom"));
    assert_eq!(letters[0].headers.get(&header::ERROR_CLASS), Some("panic"));
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.failed_panic, total.dead_lettered), (20, 1));
}

#[tokio::test(start_paused = true)]
async fn a_letter_makes_room_for_what_makes_it_one() {
    let stream = stream();
    let fail = |_: Message<u64>| async { Err::<(), _>(Failure::permanent("no such account")) };
    let typed = stream.clone().typed(Digits);
    let router = Router::new().add(Route::new("numbers.>", &typed, fail)).add(Route::new("dlq.>", &typed, fail));
    let (handle, running) = start(router).await;
    let message = Message::new("numbers.new", Bytes::from_static(b"7")).unwrap().with_id("seven").unwrap();
    let message = message.with_header("X-Small", "kept").unwrap();
    let room = 65_530 - message.headers.bytes() - "X-Large".len();
    stream.send(message.with_header("X-Large", "x".repeat(room)).unwrap()).await.unwrap();
    handle.settled().await.unwrap();
    let [letter] = &letters(&stream)[..] else { panic!("one letter, and none of a letter") };
    for (name, value) in [
        ("X-Original-Subject", "numbers.new"),
        ("X-Error-Class", "permanent"),
        ("X-Error", "no such account"),
        ("X-Handler", "numbers.>"),
        ("X-Message-ID", "seven"),
        ("X-Small", "kept"),
        ("X-Dropped-Headers", "X-Large"),
    ] {
        assert_eq!(letter.headers.get(name), Some(value), "{name}");
    }
    assert!(!letter.headers.contains("X-Large"), "half a value would be a wrong one");
    handle.stop();
    let report = running.await.unwrap().unwrap();
    assert_eq!((report.total().dead_lettered, report.total().lost), (1, 1), "{report:?}");
    assert_eq!(report.route("dlq.>").unwrap().metrics.lost, 1);
}

#[tokio::test(start_paused = true)]
async fn a_subject_too_long_for_a_prefix_has_a_letter_too() {
    let stream = stream();
    let limited = ConsumerConfig::durable("limited").with_filter("numbers.>").with_max_deliver(1);
    let limited = Topic::new(stream.clone().typed(Digits), stream.consumer(limited).unwrap().typed(Digits));
    let fail = |_: Message<u64>| async { Err::<(), _>(Failure::retry("not now")) };
    for ladder in [Ladder::once(), Ladder::new()] {
        let route = Route::new("numbers.>", &limited, fail).ladder(ladder);
        let (handle, running) = start(Router::new().add(route)).await;
        for len in [1_020, 1_021, 1_024] {
            let subject = format!("numbers.{}", "x".repeat(len - "numbers.".len()));
            stream.publish(&subject, Bytes::from_static(b"7")).await.unwrap();
            handle.settled().await.unwrap();
            let letter = letters(&stream).pop().unwrap();
            assert_eq!(letter.headers.get(&header::ORIGINAL_SUBJECT), Some(subject.as_str()));
            assert_eq!(letter.subject.as_str(), format!("dlq.{}", &subject[..1_020]));
        }
        handle.stop();
        let total = running.await.unwrap().unwrap().total();
        assert_eq!((total.dead_lettered, total.lost), (3, 0));
    }
    assert_eq!(letters(&stream).len(), 6);
}

#[tokio::test(start_paused = true)]
async fn what_stops_a_route_because_it_does_not_decode_stays_in_the_stream() {
    let stream = stream();
    let ok = |_: Message<u64>| async { Ok::<(), Failure>(()) };
    let route = Route::new("numbers.>", &durable_topic(&stream), ok).undecodable(Undecodable::Stop);
    let (_, running) = start(Router::new().add(route)).await;
    stream.publish("numbers.new", Bytes::from_static(b"seven")).await.unwrap();
    assert_eq!(running.await.unwrap().unwrap_err().kind(), ErrorKind::Codec);
    assert!(letters(&stream).is_empty());
    let (wire, got) = (durable(&stream).into_wire(), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&got);
    let route = Route::receiving("numbers.>", &wire, move |message: Message<Bytes>| {
        kept.lock().unwrap().push(message.payload);
        async { Ok::<(), Failure>(()) }
    });
    let (handle, running) = start(Router::new().add(route)).await;
    handle.settled().await.unwrap();
    handle.stop();
    running.await.unwrap().unwrap();
    assert_eq!(*got.lock().unwrap(), [Bytes::from_static(b"seven")], "for a program that knows better");
}

#[tokio::test(start_paused = true)]
async fn equal_ids_of_different_subjects_have_a_letter_each() {
    let (bus, stream) = (Mem::new().typed(Digits), stream());
    let never = |_: Message<u64>| async { Err::<(), _>(Failure::permanent("no")) };
    let route =
        Route::new("numbers.*", &bus, never).dead_letters("dlq.all").dead_letters_through(stream.clone().typed(Digits));
    let (handle, running) = start(Router::new().add(route)).await;
    for subject in ["numbers.a", "numbers.b"] {
        bus.send(Message::new(subject, 1).unwrap().with_id("one").unwrap()).await.unwrap();
    }
    handle.settled().await.unwrap();
    let originals: Vec<_> = letters(&stream)
        .iter()
        .map(|letter| letter.headers.get(&header::ORIGINAL_SUBJECT).map(str::to_owned))
        .collect();
    assert_eq!(originals, [Some("numbers.a".to_owned()), Some("numbers.b".to_owned())]);
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().total().dead_lettered, 2);
}
