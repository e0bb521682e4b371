//! Requests are handled on the task that brings them, and everything a queue would promise holds.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use flux_codec::Json;
use flux_core::{
    ArcResponder, BoxFuture, Delivery, Error, ErrorKind, Failure, Message, NoAck, Reply as _, Responder, Result,
    Subscriber, Typed,
};
use flux_http::{HttpReply, HttpServer, HttpServerConfig};
use flux_router::{RequestRoute, Route, Router};
use futures_util::stream::Pending;
use http::Request;
use http_body_util::Full;
use hyper::service::Service as _;
use tokio::sync::{Semaphore, mpsc};
use tokio::task;

use crate::{Answered, is_pending, post, within};

type Bus = Typed<HttpServer, Json>;

/// Has the task go on until those it spawned have done what they can.
async fn settle() {
    for _ in 0..10 {
        task::yield_now().await;
    }
}

async fn which_task(_: Message<u32>) -> Result<String, Failure> {
    Ok(task::id().to_string())
}

#[tokio::test]
async fn a_request_stays_on_its_task() -> Result<()> {
    let serve: [fn(Bus) -> BoxFuture<'static, ()>; 3] = [
        |bus| Box::pin(async move { Responder::<u32, String>::serve(&bus, "a", which_task).await.expect("serves") }),
        |bus| {
            let bus: ArcResponder<u32, String> = Arc::new(bus);
            Box::pin(async move { bus.serve("a", which_task).await.expect("serves") })
        },
        |bus| Box::pin(async move { drop(Router::new().add(RequestRoute::new("a", &bus, which_task)).run().await) }),
    ];
    for (way, serve) in serve.into_iter().enumerate() {
        let server = HttpServer::default();
        tokio::spawn(serve(server.clone().typed(Json)));
        settle().await;
        let asking = tokio::spawn(async move { (task::id(), post(&server, "/a", &[], "1").await) });
        let (task, answer) = within(asking).await.expect("no panic");
        assert_eq!(answer.body, format!("\"{task}\""), "way {way}");
    }
    Ok(())
}

/// A handler that says when it is called, and waits to be let through.
#[derive(Clone)]
struct Gate {
    called: mpsc::Sender<u32>,
    open: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
}

impl Gate {
    fn new() -> (Self, mpsc::Receiver<u32>) {
        let (called, calls) = mpsc::channel(16);
        (Self { called, open: Arc::new(Semaphore::new(0)), inside: Arc::default() }, calls)
    }

    async fn pass(self, request: Message<u32>) -> Result<u32, Failure> {
        assert_eq!(self.inside.fetch_add(1, Ordering::Relaxed), 0, "one at a time");
        self.called.try_send(request.payload).expect("room");
        self.open.acquire().await.expect("never closed").forget();
        self.inside.fetch_sub(1, Ordering::Relaxed);
        self.called.try_send(request.payload + 100).expect("room");
        Ok(request.payload)
    }
}

/// A server with a queue for one, and a task that serves it through the gate.
async fn gated() -> (HttpServer, task::JoinHandle<Result<()>>, Gate, mpsc::Receiver<u32>) {
    let server = HttpServer::new(HttpServerConfig::new().with_capacity(1));
    let (gate, calls) = Gate::new();
    let (bus, handler) = (server.clone().typed(Json), gate.clone());
    let serving = tokio::spawn(async move {
        Responder::<u32, u32>::serve(&bus, "a", move |request| handler.clone().pass(request)).await
    });
    settle().await;
    (server, serving, gate, calls)
}

#[tokio::test]
async fn some_wait_and_more_are_429() {
    let (server, _serving, gate, mut calls) = gated().await;
    let (mut first, mut second) = (pin!(post(&server, "/a", &[], "1")), pin!(post(&server, "/a", &[], "2")));
    assert!(is_pending(first.as_mut()).await, "it is handled");
    assert!(is_pending(second.as_mut()).await, "it waits");
    assert_eq!(post(&server, "/a", &[], "3").await.status.as_u16(), 429);
    gate.open.add_permits(2);
    for asked in [first, second] {
        assert_eq!(within(asked).await.status.as_u16(), 200);
    }
    let mut order = Vec::new();
    while let Ok(call) = calls.try_recv() {
        order.push(call);
    }
    assert_eq!(order, [1, 101, 2, 102]);
    gate.open.add_permits(1);
    assert_eq!(within(post(&server, "/a", &[], "4")).await.status.as_u16(), 200, "there is room again");
}

#[tokio::test]
async fn a_handler_outlives_its_requester() {
    let (server, _serving, gate, mut calls) = gated().await;
    {
        let mut gone = pin!(post(&server, "/a", &[], "1"));
        assert!(is_pending(gone.as_mut()).await);
        let mut never = pin!(post(&server, "/a", &[], "2"));
        assert!(is_pending(never.as_mut()).await);
    }
    assert_eq!(calls.recv().await, Some(1));
    let mut next = pin!(post(&server, "/a", &[], "3"));
    assert!(is_pending(next.as_mut()).await, "the first is still being handled");
    gate.open.add_permits(2);
    assert_eq!(within(next).await.status.as_u16(), 200);
    let rest = [calls.recv().await, calls.recv().await, calls.recv().await];
    assert_eq!(rest, [Some(101), Some(3), Some(103)], "who left the queue was not handled");
}

#[tokio::test]
async fn who_waits_when_the_responder_leaves_is_503() {
    let (server, serving, gate, _calls) = gated().await;
    let (mut first, mut second) = (pin!(post(&server, "/a", &[], "1")), pin!(post(&server, "/a", &[], "2")));
    assert!(is_pending(first.as_mut()).await && is_pending(second.as_mut()).await);
    serving.abort();
    assert_eq!(within(second).await.status.as_u16(), 503);
    assert_eq!(post(&server, "/a", &[], "3").await.status.as_u16(), 404);
    gate.open.add_permits(1);
    assert_eq!(within(first).await.status.as_u16(), 200, "what was begun is answered");
}

#[tokio::test]
async fn a_draining_server_answers_who_waits() -> Result<()> {
    let (server, serving, gate, _calls) = gated().await;
    let (mut first, mut second) = (pin!(post(&server, "/a", &[], "1")), pin!(post(&server, "/a", &[], "2")));
    assert!(is_pending(first.as_mut()).await && is_pending(second.as_mut()).await);
    server.drain();
    settle().await;
    assert!(!serving.is_finished(), "there is something left to answer");
    gate.open.add_permits(2);
    for asked in [first, second] {
        assert_eq!(within(asked).await.status.as_u16(), 200);
    }
    within(serving).await.expect("no panic")
}

/// Counts a call down when it is dropped.
struct Leaving(Arc<AtomicUsize>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_cut_short_ends_the_call() -> Result<()> {
    let server = HttpServer::default();
    let bus = server.clone().typed(Json);
    let inside = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&inside);
    let hang = move |_: Message<u32>| {
        counted.fetch_add(1, Ordering::Relaxed);
        let leaving = Leaving(Arc::clone(&counted));
        async move {
            std::future::pending::<()>().await;
            drop(leaving);
            Ok::<u32, Failure>(0)
        }
    };
    let router = Router::new().drain_for(Duration::from_secs(2)).add(RequestRoute::new("a", &bus, hang));
    let (handle, running) = (router.handle(), tokio::spawn(router.run()));
    handle.ready().await?;
    let asking = tokio::spawn(async move { post(&server, "/a", &[], "1").await });
    settle().await;
    let started = tokio::time::Instant::now();
    handle.stop();
    let report = running.await.expect("no panic")?;
    assert_eq!((started.elapsed().as_secs(), report.withheld), (2, 1));
    assert_eq!(inside.load(Ordering::Relaxed), 0, "the report is made when the call is over");
    let answer: Answered = asking.await.expect("no panic");
    assert_eq!((answer.status.as_u16(), started.elapsed().as_secs()), (500, 2), "at once, not at the answer timeout");
    Ok(())
}

#[tokio::test]
async fn a_paused_route_keeps_requests_and_refuses_them_when_it_stops() -> Result<()> {
    let server = HttpServer::default();
    let bus = server.clone().typed(Json);
    let echo = async |request: Message<u32>| Ok::<_, Failure>(request.payload);
    let router = Router::new().add(RequestRoute::new("a", &bus, echo).concurrency(2));
    let (handle, running) = (router.handle(), tokio::spawn(router.run()));
    handle.ready().await?;
    handle.pause("a")?;
    let mut kept = pin!(post(&server, "/a", &[], "1"));
    assert!(is_pending(kept.as_mut()).await);
    {
        let mut gone = pin!(post(&server, "/a", &[], "2"));
        assert!(is_pending(gone.as_mut()).await);
    }
    handle.resume("a")?;
    assert_eq!(within(kept).await.status.as_u16(), 200);
    handle.pause("a")?;
    let mut kept = pin!(post(&server, "/a", &[], "1"));
    assert!(is_pending(kept.as_mut()).await);
    handle.stop();
    assert_eq!(within(kept).await.status.as_u16(), 503);
    let total = within(running).await.expect("no panic")?.total();
    assert_eq!((total.handled, total.in_flight), (1, 0), "whose requester had gone was not begun");
    Ok(())
}

/// A route that begins to receive when the test says so, and never gets anything.
#[derive(Clone)]
struct Late(Arc<Semaphore>);

impl Subscriber<u32> for Late {
    type Acker = NoAck;
    type Deliveries = Pending<Result<Delivery<u32>>>;

    async fn subscribe(&self, _: &str) -> Result<Self::Deliveries> {
        let open = self.0.acquire().await.map_err(|_| Error::new(ErrorKind::Rejected, "not today"))?;
        open.forget();
        Ok(futures_util::stream::pending())
    }
}

#[tokio::test]
async fn handlers_are_called_when_every_route_is_live() -> Result<()> {
    for starts in [true, false] {
        let (server, late) = (HttpServer::default(), Late(Arc::new(Semaphore::new(0))));
        let bus = server.clone().typed(Json);
        let (gate, mut calls) = Gate::new();
        gate.open.add_permits(1);
        let handle = async |_: Message<u32>| Ok::<_, Failure>(());
        let router = Router::new()
            .add(RequestRoute::new("a", &bus, move |request| gate.clone().pass(request)))
            .add(Route::receiving("b", &late, handle));
        let running = tokio::spawn(router.run());
        settle().await;
        let mut asked = pin!(post(&server, "/a", &[], "1"));
        assert!(is_pending(asked.as_mut()).await);
        settle().await;
        assert!(calls.try_recv().is_err(), "what it sends would be lost");
        if starts {
            late.0.add_permits(1);
            assert_eq!(within(asked).await.status.as_u16(), 200);
            running.abort();
        } else {
            late.0.close();
            assert_eq!(within(asked).await.status.as_u16(), 503);
            assert_eq!(within(running).await.expect("no panic").expect_err("refused").kind(), ErrorKind::Rejected);
            assert!(calls.try_recv().is_err());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_panic_is_500_and_the_next_request_is_answered() -> Result<()> {
    let server = HttpServer::default();
    let panics = |delivery: Result<Delivery<Bytes, HttpReply>>| -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let delivery = delivery.expect("bytes always decode");
            assert_ne!(&delivery.message.payload[..], b"0", "as the test wants it");
            delivery.acker.reply(Ok(delivery.message)).await.expect("somebody waits");
        })
    };
    let _here = server.listen_inline("a", 1, Arc::new(panics)).await?;
    let panics_at_once = move |delivery: Result<Delivery<Bytes, HttpReply>>| {
        let is_bad = delivery.as_ref().is_ok_and(|delivery| &delivery.message.payload[..] == b"0");
        assert!(!is_bad, "as the test wants it");
        panics(delivery)
    };
    let _there = server.listen_inline("c", 1, Arc::new(panics_at_once)).await?;
    let bus = server.clone().typed(Json);
    let serving = async move |request: Message<u32>| {
        assert_ne!(request.payload, 0, "as the test wants it");
        Ok::<_, Failure>(request.payload)
    };
    tokio::spawn(async move { Responder::<u32, u32>::serve(&bus, "b", serving).await });
    settle().await;
    for path in ["/a", "/b", "/c"] {
        for (body, status) in [("0", 500), ("1", 200)] {
            assert_eq!(within(post(&server, path, &[], body)).await.status.as_u16(), status, "{path} {body}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_came_too_late_is_not_begun() {
    let (server, _serving, _gate, mut calls) = gated().await;
    let answer = within(post(&server, "/a", &[("x-deadline", "1000")], "1")).await;
    assert_eq!(answer.status.as_u16(), 504);
    settle().await;
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_does_not_wait_for_what_is_done_after_it() -> Result<()> {
    let (server, (gate, mut calls)) = (HttpServer::default(), Gate::new());
    let open = Arc::clone(&gate.open);
    let answers_first = move |delivery: Result<Delivery<Bytes, HttpReply>>| -> BoxFuture<'static, ()> {
        let gate = gate.clone();
        Box::pin(async move {
            let delivery = delivery.expect("bytes always decode");
            delivery.acker.reply(Ok(delivery.message.clone())).await.expect("somebody waits");
            let _ = gate.pass(delivery.message.map(|_| 1)).await;
        })
    };
    let _here = server.listen_inline("a", 1, Arc::new(answers_first)).await?;
    assert_eq!(within(post(&server, "/a", &[], "1")).await.status.as_u16(), 200);
    open.add_permits(1);
    assert_eq!(
        [within(calls.recv()).await, within(calls.recv()).await],
        [Some(1), Some(101)],
        "it is done all the same"
    );
    Ok(())
}

#[tokio::test]
async fn a_responder_that_has_withdrawn_is_forgotten_at_once() -> Result<()> {
    let (server, state) = (HttpServer::default(), Arc::new(()));
    let (bus, held, kept) = (server.clone().typed(Json), Arc::downgrade(&state), server.service());
    let serving = tokio::spawn(async move {
        let stage = move |request: Message<u32>| {
            let _state = Arc::clone(&state);
            async move { Ok::<_, Failure>(request.payload) }
        };
        Responder::<u32, u32>::serve(&bus, "a", stage).await
    });
    settle().await;
    let post = async |path: &str| {
        let request = Request::post(path).body(Full::new(Bytes::from_static(b"1"))).expect("valid");
        Answered::read(kept.call(request).await.expect("never fails")).await.status.as_u16()
    };
    assert_eq!(post("/a").await, 200);
    serving.abort();
    settle().await;
    assert!(held.upgrade().is_none(), "what its handler holds is let go");
    assert_eq!(post("/a").await, 404);
    Ok(())
}

#[tokio::test]
async fn a_router_that_is_dropped_answers_who_is_waiting() -> Result<()> {
    let server = HttpServer::default();
    let (gate, mut calls) = Gate::new();
    let handler = gate.clone();
    let router = Router::new().respond("a", &server.clone().typed(Json), move |request| handler.clone().pass(request));
    let (handle, running) = (router.handle(), tokio::spawn(router.run()));
    handle.ready().await?;
    let mut asked = pin!(post(&server, "/a", &[], "1"));
    assert!(is_pending(asked.as_mut()).await);
    assert_eq!(calls.recv().await, Some(1));
    running.abort();
    assert_eq!(within(asked).await.status.as_u16(), 500, "it may have been handled");
    Ok(())
}
