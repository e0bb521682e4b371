//! Every option of a route, where it makes a difference.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flux_core::{
    ArcPublisher, ArcQueueSubscriber, ArcSubscriber, Failure, Message, Publisher as _, Requester as _, Subject, Topic,
};
use flux_mem::{Mem, StreamConfig};
use flux_router::{RequestRoute, Route, Router, Undecodable};
use tokio::sync::Barrier;
use tokio::time::sleep;

use crate::digits::Digits;
use crate::double::{Did, Script, ack};
use crate::start;

async fn ok(_: Message<u64>) -> Result<(), Failure> {
    Ok(())
}

#[tokio::test]
async fn members_of_a_queue_group_share_and_routes_without_one_get_all() {
    let bus = Mem::new();
    let member = || Router::new().add(Route::new("n", &bus, ok).queue_group("g").named("member"));
    let (one, one_runs) = start(member()).await;
    let (two, two_runs) = start(member().route("n", &bus, ok)).await;
    for number in 0..10_u64 {
        bus.publish("n", number).await.unwrap();
    }
    one.settled().await.unwrap();
    two.settled().await.unwrap();
    let handled = |handle: &flux_router::Handle, name| handle.metrics().route(name).unwrap().metrics.handled;
    assert_eq!(handled(&one, "member") + handled(&two, "member"), 10);
    assert_eq!(handled(&two, "n"), 10);
    one.stop();
    two.stop();
    one_runs.await.unwrap().unwrap();
    two_runs.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_route_over_any_transport_joins_groups_settles_and_keeps_dead_letters() {
    let stream = Mem::stream(StreamConfig::new("n", ["n", "dlq.>"])).unwrap();
    let bus = stream.clone().typed(Digits);
    let (letters, members): (ArcPublisher<u64>, ArcQueueSubscriber<u64>) =
        (Arc::new(bus.clone()), Arc::new(bus.clone()));
    let fails =
        |message: Message<u64>| async move { if message.payload == 3 { Err(Failure::retry("3")) } else { Ok(()) } };
    let route = Route::new("n", &Topic::new(letters, members), fails).queue_group("workers");
    let (handle, running) = start(Router::new().add(route)).await;
    for number in 0..5 {
        bus.publish("n", number).await.unwrap();
    }
    handle.settled().await.unwrap();
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.handled, total.retried, total.dead_lettered), (4, 9, 1));
    assert!(stream.delete_consumer("workers"), "the group is the stream's durable consumer");
}

#[tokio::test(start_paused = true)]
async fn a_route_over_any_transport_has_the_ladder_of_that_transport() {
    let bus = Mem::new();
    let subscriber: ArcSubscriber<u64> = Arc::new(bus.clone());
    let route = Route::receiving("n", &subscriber, |_: Message<u64>| async { Err::<(), _>(Failure::retry("no")) });
    let (handle, running) = start(Router::new().add(route)).await;
    bus.publish("n", 1_u64).await.unwrap();
    handle.settled().await.unwrap();
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.failed_retry, total.retried, total.lost), (10, 9, 1), "it does not redeliver, so the slot waits");
}

#[tokio::test(start_paused = true)]
async fn workers_share_one_subscription() {
    let bus = Mem::new();
    let (handle, running) = start(Router::new().add(Route::new("n", &bus, ok).concurrency(5))).await;
    let mut subscribers = 0;
    for number in 0..10_u64 {
        subscribers += bus.publish("n", number).await.unwrap().subscribers;
    }
    handle.settled().await.unwrap();
    handle.stop();
    assert_eq!((subscribers, running.await.unwrap().unwrap().total().handled), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn the_run_limit_is_five_minutes_unless_there_is_none() {
    let slow = |_: Message<u64>| async {
        sleep(Duration::from_secs(301)).await;
        Ok::<(), Failure>(())
    };
    for (limited, signs) in [(true, 29), (false, 30)] {
        let script = Script::default();
        let sender = script.subscription();
        sender.send(script.delivery(1, 1)).unwrap();
        let route = Route::new("numbers.*", &script, slow);
        let route = if limited { route } else { route.without_run_limit() };
        let (handle, running) = start(Router::new().add(route)).await;
        let log = script.until(signs + 1).await;
        assert!(log[..signs].iter().all(|did| *did == Did::Progress(1)), "{log:?}");
        assert_eq!(log[signs] == ack(1), !limited);
        handle.stop();
        let total = running.await.unwrap().unwrap().total();
        assert_eq!((total.failed_timeout, total.handled), if limited { (1, 0) } else { (0, 1) });
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_decode_can_be_dropped() {
    let stream = Mem::stream(StreamConfig::new("n", ["n", "dlq.>"])).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let events = Arc::clone(&heard);
    let route = Route::new("n", &stream.clone().typed(Digits), ok).undecodable(Undecodable::Drop);
    let router = Router::new().add(route).on_event(move |_, event| events.lock().unwrap().push(event.to_string()));
    let (handle, running) = start(router).await;
    stream.publish("n", Bytes::from_static(b"seven")).await.unwrap();
    handle.settled().await.unwrap();
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.undecodable, total.dead_lettered, total.retried), (1, 0, 0));
    assert_eq!(stream.info().last_sequence, 1, "there is no letter");
    assert!(heard.lock().unwrap()[1].contains("not digits"), "{heard:?}");
}

async fn name_it(request: Message<u64>, subject: Subject) -> Result<String, Failure> {
    Ok(format!("{subject} {}", request.payload))
}

#[tokio::test(start_paused = true)]
async fn one_request_route_answers_many_subjects_under_its_name() {
    let bus = Mem::new();
    let route = RequestRoute::new("names.*", &bus, name_it).with_wildcards().named("names");
    let (handle, running) = start(Router::new().add(route)).await;
    for subject in ["names.a", "names.b"] {
        let name: String = bus.request(subject, 1_u64).await.unwrap();
        assert_eq!(name, format!("{subject} 1"));
    }
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().route("names").unwrap().metrics.handled, 2);
}

#[tokio::test(start_paused = true)]
async fn as_many_requests_are_answered_at_once_as_the_route_allows() {
    let bus = Mem::new();
    let (all, most, now) = (Arc::new(Barrier::new(3)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gate, highest) = (Arc::clone(&all), Arc::clone(&most));
    let meet = move |request: Message<u64>| {
        let (gate, highest, now) = (Arc::clone(&gate), Arc::clone(&highest), Arc::clone(&now));
        async move {
            highest.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            gate.wait().await;
            now.fetch_sub(1, SeqCst);
            Ok::<u64, Failure>(request.payload)
        }
    };
    let (handle, running) = start(Router::new().add(RequestRoute::new("meet", &bus, meet).concurrency(3))).await;
    let requests: Vec<_> = (0..9_u64)
        .map(|number| {
            let bus = bus.clone();
            tokio::spawn(async move { bus.request("meet", number).await.map(|met: u64| met) })
        })
        .collect();
    for (number, request) in (0..).zip(requests) {
        assert_eq!(request.await.unwrap().unwrap(), number);
    }
    assert_eq!(most.load(SeqCst), 3);
    handle.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_may_take_its_time_where_it_is_allowed_to() {
    let bus = Mem::with_config(flux_mem::MemConfig::new().with_request_timeout(Duration::from_secs(3600)));
    let slow = |request: Message<u64>| async move {
        sleep(Duration::from_secs(301)).await;
        Ok::<u64, Failure>(request.payload)
    };
    let router =
        Router::new().respond("limited", &bus, slow).add(RequestRoute::new("free", &bus, slow).without_run_limit());
    let (handle, running) = start(router).await;
    let free: u64 = bus.request("free", 7_u64).await.unwrap();
    let limited = bus.request("limited", 7_u64).await.map(|_: u64| ()).unwrap_err();
    assert_eq!((free, limited.remote().unwrap().code()), (7, "504"));
    handle.stop();
    running.await.unwrap().unwrap();
}
