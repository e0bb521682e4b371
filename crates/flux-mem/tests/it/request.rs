//! Request and reply.

use std::pin::pin;
use std::time::Duration;

use flux_core::{Delivery, ErrorKind, Failure, Message, RemoteError, Reply, Requester, Responder, Result};
use flux_mem::{Mem, MemConfig, MemReply, MemRequests, WhenFull};
use futures_util::StreamExt as _;

use crate::poll_once;

async fn listen(bus: &Mem, filter: &str) -> MemRequests<u32, u32> {
    bus.listen(filter).await.expect("a valid filter on an open bus")
}

async fn take(requests: &mut MemRequests<u32, u32>) -> Delivery<u32, MemReply<u32>> {
    requests.next().await.expect("open").expect("a request")
}

async fn ask(bus: &Mem, subject: &str, request: u32) -> Result<u32> {
    bus.request(subject, request).await
}

fn asked(bus: &Mem, request: u32) -> tokio::task::JoinHandle<Result<u32>> {
    let bus = bus.clone();
    tokio::spawn(async move { ask(&bus, "double", request).await })
}

#[tokio::test]
async fn a_stage_answers_with_responses_errors_and_panics() {
    async fn double(request: Message<u32>) -> Result<u32, Failure> {
        assert_ne!(request.payload, 0, "as the test wants it");
        request.payload.checked_mul(2).ok_or_else(|| Failure::permanent(RemoteError::new("422", "too large")))
    }
    let bus = Mem::new();
    let handle = bus.clone();
    let server = tokio::spawn(async move { Responder::<u32, u32>::serve(&handle, "double", double).await });
    tokio::task::yield_now().await;
    let error = ask(&bus, "double", 0).await.expect_err("it panicked");
    assert_eq!(error.remote().map(RemoteError::code), Some(RemoteError::INTERNAL));
    assert_eq!(ask(&bus, "double", 21).await.expect("an answer"), 42);
    let error = ask(&bus, "double", u32::MAX).await.expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::Remote);
    assert_eq!(error.remote().map(RemoteError::code), Some("422"));
    bus.close().await;
    server.await.expect("no panic").expect("ends with the bus");
}

#[tokio::test(start_paused = true)]
async fn no_responder_fails_at_once() {
    let bus = Mem::new();
    let before = tokio::time::Instant::now();
    assert_eq!(ask(&bus, "double", 1).await.expect_err("nobody").kind(), ErrorKind::NoResponder);
    let elsewhere = listen(&bus, "other").await;
    assert_eq!(ask(&bus, "double", 1).await.expect_err("nobody").kind(), ErrorKind::NoResponder);
    drop(elsewhere);
    assert_eq!(ask(&bus, "other", 1).await.expect_err("gone").kind(), ErrorKind::NoResponder);
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(ask(&bus, "a.*", 1).await.expect_err("a filter").kind(), ErrorKind::InvalidSubject);
}

#[tokio::test(start_paused = true)]
async fn silence_times_out_by_the_clock_of_tokio() {
    let bus = Mem::new();
    let mut requests = listen(&bus, "double").await;
    let before = tokio::time::Instant::now();
    let request = asked(&bus, 1);
    let held = take(&mut requests).await;
    let error = request.await.expect("no panic").expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(before.elapsed(), Duration::from_secs(10));
    let late = held.acker.reply(Ok(held.message)).await.expect_err("nobody waits");
    assert_eq!(late.kind(), ErrorKind::Closed);

    let bus = Mem::with_config(MemConfig::new().with_request_timeout(Duration::from_millis(30)));
    let _silent = listen(&bus, "double").await;
    let before = tokio::time::Instant::now();
    ask(&bus, "double", 1).await.expect_err("nobody answers");
    assert_eq!(before.elapsed(), Duration::from_millis(30));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_dropped_tells_the_requester_at_once() {
    let bus = Mem::new();
    let mut requests = listen(&bus, "double").await;
    let before = tokio::time::Instant::now();
    let request = asked(&bus, 1);
    drop(take(&mut requests).await);
    let error = request.await.expect("no panic").expect_err("dropped");
    assert_eq!(error.remote().map(RemoteError::code), Some(RemoteError::INTERNAL), "it may have been handled");
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_responder_that_leaves_frees_those_who_wait_in_its_queue() {
    let bus = Mem::with_config(MemConfig::new().with_capacity(2));
    let mut requests = listen(&bus, "double").await;
    let before = tokio::time::Instant::now();
    let waiting: Vec<_> = (0..4).map(|n| asked(&bus, n)).collect();
    let taken = take(&mut requests).await;
    drop(requests);
    taken.acker.reply(Ok(taken.message)).await.expect("the requester waits");
    let mut kinds = Vec::new();
    for request in waiting {
        kinds.push(request.await.expect("no panic").map_err(|error| error.kind()));
    }
    assert_eq!(kinds[0], Ok(0));
    assert!(kinds[1..].iter().all(|kind| *kind == Err(ErrorKind::NoResponder)), "{kinds:?}");
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_request_given_up_is_not_handed_over() {
    let bus = Mem::new();
    let mut requests = listen(&bus, "double").await;
    {
        let mut given_up = pin!(ask(&bus, "double", 1));
        assert!(poll_once(given_up.as_mut()).is_pending());
    }
    let request = asked(&bus, 2);
    let taken = take(&mut requests).await;
    assert_eq!(taken.message.payload, 2);
    taken.acker.reply(Ok(taken.message.map(|n| n * 2))).await.expect("the requester waits");
    assert_eq!(request.await.expect("no panic").expect("an answer"), 4);
}

#[tokio::test]
async fn responders_take_turns() {
    let bus = Mem::new();
    let mut responders = [listen(&bus, "double").await, listen(&bus, "*").await, listen(&bus, ">").await];
    let requests: Vec<_> = (0..9).map(|n| asked(&bus, n)).collect();
    tokio::task::yield_now().await;
    for responder in &mut responders {
        for _ in 0..3 {
            let taken = take(responder).await;
            taken.acker.reply(Ok(taken.message)).await.expect("the requester waits");
        }
    }
    for (n, request) in (0..).zip(requests) {
        assert_eq!(request.await.expect("no panic").expect("an answer"), n);
    }
}

#[tokio::test]
async fn a_full_responder_is_passed_over_and_full_ones_are_named() {
    let bus = Mem::with_config(MemConfig::new().with_capacity(1).with_full(WhenFull::Drop));
    let _first = listen(&bus, "double").await;
    let _second = listen(&bus, "double").await;
    let _waiting = [asked(&bus, 1), asked(&bus, 2)];
    tokio::task::yield_now().await;
    assert_eq!(ask(&bus, "double", 3).await.expect_err("no room anywhere").kind(), ErrorKind::Full);
    assert_eq!(bus.dropped(), 1);
}
