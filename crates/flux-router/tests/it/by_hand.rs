//! Handlers that take the delivery and settle it themselves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Acker as _, Delivery, ErrorKind, Failure, FailureClass, Outcome};
use flux_mem::{ConsumerConfig, Mem, MemAcker, MemStream, StreamConfig};
use flux_router::{DeliveryRoute, Router};
use tokio::time::Instant;

use crate::digits::Digits;
use crate::double::{Did, Record, Script};
use crate::start;

#[tokio::test(start_paused = true)]
async fn what_the_handler_says_is_what_the_transport_is_told() {
    let script = Script::default();
    let sender = script.subscription();
    for number in 1..=4 {
        sender.send(script.delivery(number, 1)).unwrap();
    }
    let handler = async |delivery: Delivery<u64, Record>| -> Result<(), Failure> {
        match delivery.message.payload {
            1 => delivery.ack().await?,
            2 => delivery.acker.nak(Some(Duration::from_secs(9))).await?,
            3 => {
                delivery.acker.progress().await?;
                delivery.acker.term("of no use").await?;
            }
            _ => delivery.settle(Outcome::Nak).await?,
        }
        Ok(())
    };
    let (handle, running) = start(Router::new().add(DeliveryRoute::new("numbers.*", &script, handler))).await;
    let settled = [Outcome::Ack, Outcome::NakAfter(Duration::from_secs(9)), Outcome::term("of no use"), Outcome::Nak];
    let mut expected: Vec<_> = (1..).zip(settled).map(|(number, outcome)| Did::Settled(number, outcome)).collect();
    expected.insert(2, Did::Progress(3));
    assert_eq!(script.until(5).await, expected);
    handle.stop();
    let report = running.await.unwrap().unwrap();
    assert_eq!((report.total().handled, report.total().failed(), report.withheld), (4, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_counted_told_and_settles_nothing() {
    let script = Script::default();
    let sender = script.subscription();
    for number in 1..=4 {
        sender.send(script.delivery(number, 1)).unwrap();
    }
    let handler = async |delivery: Delivery<u64, Record>| match delivery.message.payload {
        1 => Err(Failure::new(FailureClass::Permanent, "no")),
        2 => panic!("boom"),
        3 => std::future::pending().await,
        _ => delivery.ack().await.map_err(Failure::from),
    };
    let route = DeliveryRoute::new("numbers.*", &script, handler).max_run_time(Duration::from_secs(60));
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    let router = Router::new().add(route).on_event(move |_, event| told.lock().unwrap().push(event.to_string()));
    let (handle, running) = start(router).await;
    assert_eq!(script.until(1).await, [Did::Settled(4, Outcome::Ack)], "the ladder is none of its business");
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.failed_permanent, total.failed_panic, total.failed_timeout, total.handled), (1, 1, 1, 1));
    let events = events.lock().unwrap();
    for text in ["no", "boom", "the handler took longer than 60s"] {
        assert!(events.contains(&format!("the handler of `numbers.new` failed: {text}")), "{text}: {events:?}");
    }
}

fn stream() -> MemStream {
    Mem::stream(StreamConfig::new("files", ["files.>"])).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_unsettled_comes_again() {
    let stream = stream();
    let started = Instant::now();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let times = Arc::clone(&seen);
    let handler = move |delivery: Delivery<Bytes, MemAcker>| {
        let mut times = times.lock().unwrap();
        times.push(started.elapsed().as_secs());
        let is_first = times.len() == 1;
        async move { if is_first { Ok(()) } else { delivery.ack().await } }
    };
    let consumer = stream
        .consumer(ConsumerConfig::durable("work").with_filter("files.>").with_ack_wait(Duration::from_secs(30)))
        .unwrap();
    let (handle, running) = start(Router::new().add(DeliveryRoute::new("files.>", &consumer, handler))).await;
    flux_core::Publisher::publish(&stream, "files.new", Bytes::from_static(b"x")).await.unwrap();
    handle.settled().await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 30]);
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().total().handled, 2);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_decode_is_terminated_and_told() {
    let stream = stream();
    let handler = async |delivery: Delivery<u64, MemAcker>| delivery.ack().await;
    let bus = stream.clone().typed(Digits);
    let (handle, running) = start(Router::new().add(DeliveryRoute::new("files.>", &bus, handler))).await;
    for payload in ["7", "seven", "8"] {
        flux_core::Publisher::publish(&stream, "files.new", Bytes::from_static(payload.as_bytes())).await.unwrap();
    }
    handle.settled().await.unwrap();
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.handled, total.undecodable, total.in_flight), (2, 1, 0));
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_the_name_of_the_route() {
    let (script, handler) = (Script::default(), async |delivery: Delivery<u64, Record>| delivery.ack().await);
    let route = || DeliveryRoute::new("numbers.*", &script, handler).named("hand");
    for route in
        [route().concurrency(0), route().max_run_time(Duration::ZERO), DeliveryRoute::new("a..b", &script, handler)]
    {
        let error = Router::new().add(route).check().expect_err("refused");
        assert!(matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidSubject), "{error}");
        assert!(error.to_string().contains("route `"), "{error}");
    }
}
