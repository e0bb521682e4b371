//! What a handler can ask for after its message, and layers around it.

use std::sync::{Arc, Mutex};

use flux_core::{Failure, Headers, Message, Metadata, Outcome, Publisher as _, Stage, Subject};
use flux_mem::Mem;
use flux_router::{FromRef, Route, Router, State, Tokens};
use tower_layer::Layer;

use crate::double::{Script, ack};

#[derive(Clone)]
struct App {
    seen: Arc<Mutex<Vec<String>>>,
    factor: u64,
}

struct Factor(u64);

impl FromRef<App> for Factor {
    fn from_ref(app: &App) -> Self {
        Self(app.factor)
    }
}

async fn everything(
    message: Message<u64>,
    State(app): State<App>,
    State(factor): State<Factor>,
    Tokens((origin, number)): Tokens<(String, u32)>,
    subject: Subject,
) -> Result<(), Failure> {
    let line = format!("{subject} {origin} {number} {}", message.payload * factor.0);
    app.seen.lock().unwrap().push(line);
    Ok(())
}

async fn rest(
    _: Message<u64>,
    Tokens(all): Tokens<Vec<String>>,
    headers: Headers,
    State(app): State<App>,
) -> Result<(), Failure> {
    app.seen.lock().unwrap().push(format!("{} {}", all.join("+"), headers.len()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn extractors_give_what_surrounds_the_message() {
    let bus = Mem::new();
    let app = App { seen: Arc::default(), factor: 3 };
    let router =
        Router::new().with_state(app.clone()).route("flights.*.*", &bus, everything).route("all.>", &bus, rest);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    bus.publish("flights.EWR.17", 14_u64).await.unwrap();
    bus.publish("all.a.b.c", 1_u64).await.unwrap();
    handle.settled().await.unwrap();
    let mut seen = app.seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, ["a+b+c 0", "flights.EWR.17 EWR 17 42"]);
    bus.publish("flights.EWR.seventeen", 14_u64).await.unwrap();
    handle.settled().await.unwrap();
    handle.stop();
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.route("flights.*.*").unwrap().metrics.failed_permanent, 1, "a token that does not parse");
}

#[tokio::test(start_paused = true)]
async fn metadata_is_that_of_the_delivery() {
    async fn about(message: Message<u64>, about: Metadata) -> Result<Outcome, Failure> {
        assert_eq!((about.delivered, about.sequence), (Some(message.payload), Some(7)));
        Ok(Outcome::Ack)
    }
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(4, 4)).unwrap();
    let router = Router::new().route("numbers.*", &script, about);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    assert_eq!(script.until(1).await, [ack(4)]);
    handle.stop();
    running.await.unwrap().unwrap();
}

/// Writes its name down and passes on.
struct Named<S> {
    name: &'static str,
    log: Arc<Mutex<Vec<&'static str>>>,
    inner: S,
}

impl<In: Send, S: Stage<In>> Stage<In> for Named<S> {
    type Out = S::Out;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<S::Out, S::Error> {
        self.log.lock().unwrap().push(self.name);
        self.inner.process(input).await
    }
}

#[derive(Clone)]
struct NamedLayer(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl<S> Layer<S> for NamedLayer {
    type Service = Named<S>;

    fn layer(&self, inner: S) -> Named<S> {
        Named { name: self.0, log: Arc::clone(&self.1), inner }
    }
}

#[tokio::test(start_paused = true)]
async fn layers_wrap_handlers_of_messages_and_of_requests() {
    use flux_core::Requester as _;
    let bus = Mem::new();
    let log = Arc::new(Mutex::new(Vec::new()));
    let layer = |name| NamedLayer(name, Arc::clone(&log));
    let ok = |_: Message<u64>| async { Ok::<(), Failure>(()) };
    let double = |request: Message<u64>| async move { Ok::<u64, Failure>(request.payload * 2) };
    let router = Router::new()
        .layer(layer("router"))
        .layer(layer("outermost"))
        .add(Route::new("a", &bus, ok).layer(layer("route")).layer(layer("route, further out")))
        .respond("double", &bus, double);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    bus.publish("a", 1_u64).await.unwrap();
    handle.settled().await.unwrap();
    assert_eq!(*log.lock().unwrap(), ["outermost", "router", "route, further out", "route"]);
    let doubled: u64 = bus.request("double", 21_u64).await.unwrap();
    assert_eq!(doubled, 42);
    assert_eq!(log.lock().unwrap().len(), 6);
    handle.stop();
    running.await.unwrap().unwrap();
}
