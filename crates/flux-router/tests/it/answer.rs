//! Requests: every one gets an answer, and an error is never a success.

use std::time::Duration;

use flux_core::{
    Error, ErrorKind, Failure, Message, OrFail as _, Publisher as _, RemoteError, Requester, Status, Subscriber,
    header, next,
};
use flux_mem::Mem;
use flux_router::{Answer, Handle, Report, RequestRoute, Router};
use tokio::task::JoinHandle;

use crate::double::idle;

async fn answer(request: Message<u64>) -> Result<u64, Failure> {
    match request.payload {
        1 => Err(Failure::retry("not now")),
        2 => Err(RemoteError::new("404", "no such number")).or_permanent(),
        3 => panic!("boom"),
        4 => std::future::pending().await,
        number => Ok(number * 2),
    }
}

async fn start(bus: &Mem) -> (Handle, JoinHandle<Result<Report, Error>>) {
    let route = RequestRoute::new("double", bus, answer).max_run_time(Duration::from_secs(3)).concurrency(2);
    let router = Router::new().add(route);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    (handle, running)
}

#[tokio::test(start_paused = true)]
async fn each_failure_is_answered_at_once_with_its_code() {
    let bus = Mem::new();
    let (handle, running) = start(&bus).await;
    let started = tokio::time::Instant::now();
    for (number, code, text) in
        [(1_u64, "500", "not now"), (2, "404", "no such number"), (3, "500", "boom"), (4, "504", "3s")]
    {
        let error = bus.request("double", number).await.map(|_: u64| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Remote, "{number}");
        let remote = error.remote().unwrap();
        assert_eq!(remote.code(), code, "{number}");
        assert!(remote.message().contains(text), "{remote}");
    }
    assert_eq!(started.elapsed().as_secs(), 3, "only the one that hung took time");
    assert_eq!(bus.request("double", 21_u64).await.map(|doubled: u64| doubled).unwrap(), 42);
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.handled, total.failed_panic, total.failed_timeout, total.failed()), (1, 1, 1, 4));
    assert_eq!((total.failed_retry, total.failed_permanent), (1, 1), "by class, as on a route for messages");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_goes_along_the_chain_of_requests_and_into_no_message() {
    let bus = Mem::new();
    let mut told = Box::pin(Subscriber::<u64>::subscribe(&bus, "told").await.unwrap());
    let asking = bus.clone();
    let outer = move |request: Message<u64>| {
        let bus = asking.clone();
        async move {
            bus.publish("told", request.payload).await?;
            Ok::<u64, Failure>(bus.request("inner", request.payload).await?)
        }
    };
    let inner = async |request: Message<u64>| Ok::<_, Failure>(u64::from(request.deadline().is_some()));
    let router = Router::new().respond("outer", &bus, outer).respond("inner", &bus, inner);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    let plain = Message::new("outer", 7_u64).unwrap();
    let limited = plain.clone().with_header(header::DEADLINE, u64::MAX / 1_000_000).unwrap();
    for (request, expected) in [(limited, 1), (plain, 0)] {
        let answer: Message<u64> = bus.ask(request).await.unwrap();
        assert_eq!(answer.payload, expected);
        let told = next(told.as_mut()).await.unwrap().unwrap();
        assert!(!told.message.headers.contains(&header::DEADLINE), "nobody waits for the answer to a message");
    }
    handle.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_the_router_there_is_no_responder() {
    let bus = Mem::new();
    let (handle, running) = start(&bus).await;
    handle.stop();
    running.await.unwrap().unwrap();
    let started = tokio::time::Instant::now();
    let error = bus.request("double", 5_u64).await.map(|_: u64| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoResponder);
    assert_eq!(started.elapsed(), Duration::ZERO, "at once, not after the timeout");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_outlives_the_drain_is_answered_at_once() {
    let bus = Mem::new();
    let hangs = |_: Message<u64>| std::future::pending::<Result<u64, Failure>>();
    let router = Router::new().respond("hang", &bus, hangs).drain_for(Duration::from_secs(2));
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    let started = tokio::time::Instant::now();
    let asking = tokio::spawn({
        let bus = bus.clone();
        async move { bus.request("hang", 1_u64).await.map(|_: u64| ()) }
    });
    idle().await;
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap().withheld, 1);
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(error.remote().map(RemoteError::code), Some("500"), "it may have been handled: {error}");
    assert_eq!(started.elapsed().as_secs(), 2, "with the drain, not after the 10 s of a request");
}

#[tokio::test(start_paused = true)]
async fn an_answer_says_how_the_request_went() {
    async fn answer(request: Message<u64>) -> Result<Answer<u64>, Failure> {
        match request.payload {
            1 => Ok(Answer::success(10).with_header("X-Unit", "m")?),
            2 => Ok(Answer::partial(20, "half\nlost")),
            _ => Err(RemoteError::fail("422", "not a length").into()),
        }
    }
    let bus = Mem::new();
    let router = Router::new().add(RequestRoute::answering("length", &bus, answer));
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    let ask = |number: u64| bus.ask(Message::new("length", number).unwrap().with_id("ask-1").unwrap());

    let whole: Message<u64> = ask(1).await.unwrap();
    assert_eq!((whole.payload, Status::of(&whole.headers)), (10, Some(Status::Success)));
    assert_eq!((whole.headers.get("X-Unit"), whole.headers.get(&header::ERROR_CODE)), (Some("m"), None));
    assert_eq!(whole.headers.get(&header::CORRELATION_ID), Some("ask-1"), "the request's work goes on");
    let part: Message<u64> = ask(2).await.unwrap();
    assert_eq!((part.payload, Status::of(&part.headers)), (20, Some(Status::Partial)));
    assert_eq!(part.headers.get(&header::ERROR_CODE), Some("half lost"));
    let refused = Requester::<u64, u64>::ask(&bus, Message::new("length", 3).unwrap()).await.unwrap_err();
    assert_eq!(refused.remote().map(RemoteError::status), Some(Status::Fail));
    handle.stop();
    running.await.unwrap().unwrap();
}
