//! Routes for requests, in what they share with routes for messages: layers, extractors, pauses, what becomes of a dropped router.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flux_core::{
    Delivery, Error, ErrorKind, Failure, Headers, Message, Metadata, RemoteError, Reply, Requester as _, Responder,
    Result, Stage,
};
use flux_mem::Mem;
use flux_router::{Event, RequestRoute, Router};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower_layer::layer_fn;

use crate::double::idle;
use crate::start;

type Item = Result<Delivery<u64, Back>>;

/// Hands over the requests that the test makes, to the one who listens.
#[derive(Clone)]
struct Asked(Arc<Mutex<Option<UnboundedReceiver<Item>>>>);

/// The way back, if anybody waits there.
struct Back(oneshot::Sender<u64>);

impl Reply<u64> for Back {
    async fn reply(self, answer: Result<Message<u64>, RemoteError>) -> Result<()> {
        self.0.send(answer?.payload).map_err(|_| Error::new(ErrorKind::Closed, "the requester is gone"))
    }
}

/// Requests as they come.
struct Requests(UnboundedReceiver<Item>);

impl futures_core::Stream for Requests {
    type Item = Item;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Item>> {
        self.0.poll_recv(cx)
    }
}

impl Responder<u64, u64> for Asked {
    type Reply = Back;
    type Requests = Requests;

    async fn listen(&self, _: &str) -> Result<Requests> {
        let requests = self.0.lock().unwrap().take();
        requests.map(Requests).ok_or_else(|| Error::new(ErrorKind::Closed, "somebody listens already"))
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_is_that_of_the_request_and_an_answer_that_nobody_waits_for_is_reported() {
    async fn about(_: Message<u64>, about: Metadata, headers: Headers) -> Result<u64, Failure> {
        assert!(headers.is_empty());
        about.sequence.ok_or_else(|| Failure::permanent("no metadata"))
    }
    let (ask, asked) = unbounded_channel();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let bus = Asked(Arc::new(Mutex::new(Some(asked))));
    let router = Router::new().respond("about", &bus, about).on_event(move |_, event| {
        if let Event::Unsettled { error } = event {
            heard.lock().unwrap().push(error.to_string());
        }
    });
    let (handle, running) = start(router).await;
    for gone in [false, true] {
        let (back, answer) = oneshot::channel();
        let mut metadata = Metadata::default();
        metadata.sequence = Some(17);
        let answer = Some(answer).filter(|_| !gone);
        ask.send(Ok(Delivery::new(Message::new("about", 1).unwrap(), metadata, Back(back)))).unwrap();
        if let Some(answer) = answer {
            assert_eq!(answer.await.unwrap(), 17);
        }
    }
    idle().await;
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.handled, total.unsettled), (2, 1));
    assert_eq!(*told.lock().unwrap(), ["the requester is gone"]);
}

/// Adds to what the stage inside answers.
struct Adding<S>(u64, S);

impl<S: Stage<Message<u64>, Out = u64>> Stage<Message<u64>> for Adding<S> {
    type Out = u64;
    type Error = S::Error;

    async fn process(&self, request: Message<u64>) -> Result<u64, S::Error> {
        Ok(self.1.process(request).await? * 10 + self.0)
    }
}

async fn echo(request: Message<u64>) -> Result<u64, Failure> {
    Ok(request.payload)
}

#[tokio::test(start_paused = true)]
async fn the_layers_of_a_request_route_are_inside_those_of_the_router() {
    let bus = Mem::new();
    let route = RequestRoute::new("n", &bus, echo).layer(layer_fn(|inner| Adding(1, inner)));
    let route = route.layer(layer_fn(|inner| Adding(2, inner)));
    let router = Router::new().layer(layer_fn(|inner| Adding(3, inner))).add(route);
    let (handle, running) = (router.handle(), tokio::spawn(router.run()));
    handle.ready().await.unwrap();
    let answer: u64 = bus.request("n", 7_u64).await.unwrap();
    assert_eq!(answer, 7_123);
    handle.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_paused_request_route_takes_nothing_until_it_is_resumed() {
    let bus = Mem::new();
    let (handle, running) = start(Router::new().respond("n", &bus, echo)).await;
    let ask = || {
        let bus = bus.clone();
        tokio::spawn(async move { bus.request("n", 7_u64).await.map(|n: u64| n) })
    };
    idle().await;
    handle.pause("n").unwrap();
    let kept = ask();
    idle().await;
    assert!(!kept.is_finished(), "not even the one that its worker was waiting for");
    handle.resume("n").unwrap();
    assert_eq!(kept.await.unwrap().unwrap(), 7);
    handle.pause("n").unwrap();
    let (kept, stopped) = (ask(), Instant::now());
    idle().await;
    handle.stop();
    let total = running.await.unwrap().unwrap().total();
    assert_eq!((total.handled, total.in_flight), (1, 0));
    assert_eq!(kept.await.unwrap().unwrap_err().kind(), ErrorKind::NoResponder);
    assert_eq!(stopped.elapsed(), Duration::ZERO, "at once");
}

#[tokio::test(start_paused = true)]
async fn a_requester_is_told_at_once_when_the_router_is_dropped() {
    let bus = Mem::new();
    let hangs = |_: Message<u64>| std::future::pending::<Result<u64, Failure>>();
    let (_, running) = start(Router::new().respond("n", &bus, hangs)).await;
    let started = Instant::now();
    let asking = bus.clone();
    let [taken, waiting] = [1, 2].map(|number: u64| {
        let bus = asking.clone();
        tokio::spawn(async move { bus.request("n", number).await.map(|_: u64| ()) })
    });
    idle().await;
    running.abort();
    let error = taken.await.unwrap().unwrap_err();
    assert_eq!(error.remote().map(RemoteError::code), Some("500"), "it may have been handled: {error}");
    assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::NoResponder, "it was not taken");
    assert_eq!(started.elapsed(), Duration::ZERO);
}
