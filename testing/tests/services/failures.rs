//! What becomes of failures on a stream: settled at once, tried again with growing pauses, kept before they are given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flux_core::{Failure, Message, Publisher as _};
use flux_jetstream::{ConsumerConfig, Discard, JsConsumer};
use flux_router::{Event, Ladder, Route, Router, State};
use tokio::sync::mpsc::Sender;

use crate::{Order, Running, Site, next_of, told};

/// Far longer than any test: what comes again comes because it was settled.
const ACK_WAIT: Duration = Duration::from_secs(30);

fn ladder() -> Ladder {
    Ladder::new().with_delays(Duration::from_millis(20), Duration::from_millis(50))
}

/// The consumer that the queue group `billing` shares.
async fn billing(site: &Site) -> JsConsumer {
    let config = ConsumerConfig::durable("billing").with_filter("orders.>").with_ack_wait(ACK_WAIT);
    site.stream.wire().consumer(config).await.unwrap()
}

/// Fails in some way at first.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicU64>);

impl Calls {
    fn is_first(&self) -> bool {
        self.0.fetch_add(1, Ordering::SeqCst) == 0
    }
}

async fn panics_first(_: Message<Order>, State(calls): State<Calls>) -> Result<(), Failure> {
    assert!(!calls.is_first(), "a bug");
    Ok(())
}

async fn hangs_first(_: Message<Order>, State(calls): State<Calls>) -> Result<(), Failure> {
    if calls.is_first() { std::future::pending().await } else { Ok(()) }
}

#[tokio::test]
async fn a_panic_is_settled_and_not_left_to_the_ack_wait() {
    let site = Site::start().await;
    let route = Route::new("orders.>", &site.stream, panics_first).queue_group("billing").ladder(ladder());
    let service = Running::start(Router::new().with_state(Calls::default()).add(route)).await;
    let start = Instant::now();
    site.stream.publish("orders.new", Order { id: 1 }).await.unwrap();
    service.handle.settled().await.unwrap();
    assert!(start.elapsed() < ACK_WAIT / 2, "{:?}", start.elapsed());
    let total = service.stop().await.total();
    assert_eq!((total.failed_panic, total.retried, total.handled), (1, 1, 1));
    assert_eq!(billing(&site).await.info().await.unwrap().delivered, 2);
}

#[tokio::test]
async fn a_route_limits_the_time_of_its_handler() {
    let site = Site::start().await;
    let route = Route::new("orders.>", &site.stream, hangs_first).queue_group("billing").ladder(ladder());
    let route = route.max_run_time(Duration::from_millis(100));
    let service = Running::start(Router::new().with_state(Calls::default()).add(route)).await;
    site.stream.publish("orders.new", Order { id: 1 }).await.unwrap();
    service.handle.settled().await.unwrap();
    let total = service.stop().await.total();
    assert_eq!((total.failed_timeout, total.retried, total.handled), (1, 1, 1));
}

async fn refuses(_: Message<Order>, State(told): State<Sender<Instant>>) -> Result<(), Failure> {
    told.send(Instant::now()).await?;
    Err(Failure::retry("not now"))
}

#[tokio::test]
async fn failures_come_back_after_growing_pauses() {
    const FIRST: Duration = Duration::from_millis(100);
    let site = Site::start().await;
    let (tell, mut hear) = told();
    let ladder = Ladder::new().with_attempts(4).with_delays(FIRST, Duration::from_secs(1));
    let route = Route::new("orders.>", &site.stream, refuses).queue_group("billing").ladder(ladder);
    let service = Running::start(Router::new().with_state(tell).add(route)).await;
    site.stream.publish("orders.new", Order { id: 1 }).await.unwrap();
    let mut last = next_of(&mut hear).await;
    for doubled in [1, 2, 4] {
        let called = next_of(&mut hear).await;
        let pause = called - last;
        assert!(pause >= FIRST * doubled, "a pause of {pause:?} instead of {:?}", FIRST * doubled);
        last = called;
    }
    service.handle.settled().await.unwrap();
    let total = service.stop().await.total();
    assert_eq!((total.retried, total.dead_lettered), (3, 1));
}

#[tokio::test]
async fn an_original_is_kept_until_its_dead_letter_is_stored() {
    async fn never(_: Message<Order>) -> Result<(), Failure> {
        Err(Failure::permanent("cannot be booked"))
    }
    let site = Site::start().await;
    let letters = site.another("letters", |config| config.with_max_messages(1).with_discard(Discard::New)).await;
    letters.publish("letters.old", Order { id: 0 }).await.unwrap();
    let (tell, mut hear) = told();
    let route = Route::new("orders.>", &site.stream, never).queue_group("billing").ladder(ladder());
    let route = route.dead_letters_through(letters.clone()).dead_letters("letters.new");
    let router = Router::new().add(route).on_event(move |_, event| match event {
        // The listener must not block; a test that is behind has heard enough.
        Event::DeadLettered { .. } => drop(tell.try_send(true)),
        Event::NotDeadLettered { .. } => drop(tell.try_send(false)),
        _ => {}
    });
    let service = Running::start(router).await;
    site.stream.publish("orders.new", Order { id: 1 }).await.unwrap();

    for _ in 0..3 {
        assert!(!next_of(&mut hear).await, "there is no room for it");
    }
    let info = billing(&site).await.info().await.unwrap();
    assert_eq!((info.pending, info.ack_pending), (0, 1), "it is not acknowledged: {info:?}");
    letters.wire().purge("letters.old").await.unwrap();
    while !next_of(&mut hear).await {}
    service.handle.settled().await.unwrap();
    let total = service.stop().await.total();
    assert_eq!((total.dead_lettered, total.lost), (1, 0));
    let info = letters.wire().info().await.unwrap();
    assert_eq!((info.messages, info.last_sequence), (1, 2), "{info:?}");
}

#[tokio::test]
async fn a_message_with_as_many_headers_as_a_stream_takes_has_a_letter_of_its_own() {
    async fn never(_: Message<Order>) -> Result<(), Failure> {
        Err(Failure::permanent("cannot be booked"))
    }
    // The status line and the empty one; beside each header there are four bytes more.
    const MOST: usize = 65_535 - "NATS/1.0\r\n\r\n".len();
    let site = Site::start().await;
    let route = Route::new("orders.>", &site.stream, never).queue_group("billing").ladder(ladder());
    let service = Running::start(Router::new().add(route)).await;
    let subject = format!("orders.{}", "x".repeat(1_017));
    let mut message = Message::new(subject.as_str(), Order { id: 1 }).unwrap().with_id("one").unwrap();
    let mut room = MOST - ["X-Message-ID", "one", "Nats-Msg-Id", "one"].concat().len() - 2 * 4;
    for number in 100.. {
        let name = format!("X-{number}");
        let len = 200.min(room - name.len() - 4);
        message = message.with_header(name.as_str(), "x".repeat(len)).unwrap();
        room -= name.len() + len + 4;
        if room < 200 {
            break;
        }
    }
    let more = message.clone().with_header("X-More", "x".repeat(room)).unwrap();
    assert!(site.stream.send(more).await.is_err(), "the stream takes no more");
    site.stream.send(message).await.unwrap();
    service.handle.settled().await.unwrap();
    let total = service.stop().await.total();
    assert_eq!((total.dead_lettered, total.retried, total.lost), (1, 0, 0));
    let stream = async_nats::jetstream::new(site.nats.wire().client().clone()).get_stream("orders").await.unwrap();
    let letter = stream.get_raw_message(2).await.expect("it is stored, and no duplicate of its original");
    assert_eq!(letter.subject.as_str(), format!("dlq.{}", &subject[..1_020]));
    let found = |name| letter.headers.get(name).map(async_nats::HeaderValue::as_str);
    assert!(found("X-Dropped-Headers").is_some_and(|names| names.starts_with("X-")));
    assert_eq!(found("X-Original-Subject"), Some(subject.as_str()));
}
