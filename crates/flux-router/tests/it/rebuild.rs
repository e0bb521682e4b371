//! A subscription that breaks is rebuilt, and said so.

use std::sync::{Arc, Mutex};

use flux_core::{Error, ErrorKind, Failure, Message};
use flux_router::Router;

use crate::double::{Script, ack};
use crate::start;

#[tokio::test(start_paused = true)]
async fn a_broken_subscription_is_rebuilt_with_backoff_and_reported() {
    let script = Script::default();
    let first = script.subscription();
    for _ in 0..3 {
        script.refuse_subscription(Error::new(ErrorKind::Unavailable, "the peer is away"));
    }
    let second = script.subscription();
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    let router = Router::new()
        .route("numbers.*", &script, |_: Message<u64>| async { Ok::<(), Failure>(()) })
        .on_event(move |route, event| heard.lock().unwrap().push(format!("{route}: {event}")));
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    let started = tokio::time::Instant::now();
    drop(first);
    second.send(script.delivery(1, 1)).unwrap();
    assert_eq!(script.until(1).await, [ack(1)]);
    assert!(started.elapsed().as_millis() >= 700, "100, 200 and 400 ms at least");
    handle.stop();
    running.await.unwrap().unwrap();
    let live = "numbers.*: subscription is live".to_owned();
    let lost = "numbers.*: subscription lost, rebuilding it: the peer is away".to_owned();
    assert_eq!(*events.lock().unwrap(), [live.clone(), lost.clone(), lost.clone(), lost, live]);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_was_closed_ends_the_route_in_peace() {
    let script = Script::default();
    let only = script.subscription();
    only.send(script.delivery(1, 1)).unwrap();
    drop(only);
    let router = Router::new().route("numbers.*", &script, |_: Message<u64>| async { Ok::<(), Failure>(()) });
    let report = router.run().await.unwrap();
    assert_eq!(report.total().handled, 1);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_ended_without_a_word_is_rebuilt_at_once_and_reported() {
    let script = Script::default();
    let (first, second) = (script.subscription(), script.subscription());
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    let router = Router::new()
        .route("numbers.*", &script, |_: Message<u64>| async { Ok::<(), Failure>(()) })
        .on_event(move |_, event| heard.lock().unwrap().push(event.to_string()));
    let (handle, running) = start(router).await;
    drop(first);
    second.send(script.delivery(1, 1)).unwrap();
    assert_eq!(script.until(1).await, [ack(1)]);
    handle.stop();
    running.await.unwrap().unwrap();
    let expected = ["subscription is live", "subscription ended, rebuilding it", "subscription is live"];
    assert_eq!(*events.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_is_lost_is_counted_and_reported_and_the_route_goes_on() {
    let script = Script::losing_settlements();
    let sender = script.subscription();
    for number in 1..=2 {
        sender.send(script.delivery(number, 1)).unwrap();
    }
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    let router = Router::new()
        .route("numbers.*", &script, |_: Message<u64>| async { Ok::<(), Failure>(()) })
        .on_event(move |_, event| heard.lock().unwrap().push(event.to_string()));
    let (handle, running) = start(router).await;
    assert_eq!(script.until(2).await, [ack(1), ack(2)]);
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.handled, total.unsettled), (2, 2));
    let told = "a settlement did not reach the transport: the connection is gone";
    assert_eq!(*events.lock().unwrap(), ["subscription is live", told, told]);
}
