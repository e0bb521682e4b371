//! A route whose handler gets the delivery and settles it by hand.

use std::any::{TypeId, type_name};
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use flux_core::{
    BoxFuture, Delivery, Error, ErrorKind, Failure, QueueSubscriber, Result, Stage, SubjectFilter, Subscriber,
    Telemetry,
};
use tower_layer::{Identity, Layer, Stack};

use crate::delivery_work::DeliveryWork;
use crate::plan::{AddRoute, Plan, Start, Transport, Work};
use crate::route::MAX_RUN;
use crate::shared::Shared;
use crate::source::{Feed, Source};
use crate::worker;

type Subscribe<T, B> =
    fn(B, SubjectFilter, Option<String>) -> BoxFuture<'static, Result<<B as Subscriber<T>>::Deliveries>>;

/// A route for messages that its handler settles by itself, with the acker of the transport: early, in pieces, or from another
/// task. [`Router::add`](crate::Router::add) takes it.
///
/// The router takes no more deliveries than there are free handlers, restarts a broken subscription, catches panics, counts and
/// drains, as on a [`Route`](crate::Route). It does not settle: there is no ladder and there are no dead letters, and nobody tells
/// the transport that a long handler is still at work but the handler, with [`progress`](flux_core::Acker::progress). What is
/// dropped unsettled comes back as its transport says, as a rule after the ack wait. A handler that fails or panics is counted.
///
/// What does not decode never reaches the handler: it is [terminated](flux_core::Outcome::Term), counted and reported as an event. Take
/// `Bytes` to read such payloads by hand.
///
/// Defaults: one message at a time, five minutes for one handler call.
///
/// ```
/// # use flux_core::{Acker, Delivery, Failure};
/// # use flux_mem::{MemAcker, MemStream};
/// # use flux_router::{DeliveryRoute, Router};
/// # use bytes::Bytes;
/// async fn import(delivery: Delivery<Bytes, MemAcker>) -> Result<(), Failure> {
///     let Delivery { message, acker, .. } = delivery;
///     // At most once from here on.
///     acker.ack().await?;
///     println!("{} bytes to {}", message.payload.len(), message.subject);
///     Ok(())
/// }
///
/// # fn app(files: MemStream) -> flux_core::Result<()> {
/// let router = Router::new().add(DeliveryRoute::new("files.>", &files, import).concurrency(4));
/// # router.check() }
/// ```
#[must_use = "a route does nothing until it is added to a router"]
pub struct DeliveryRoute<T, B: Subscriber<T>, H, L = Identity> {
    name: Option<String>,
    filter: String,
    bus: B,
    handler: H,
    layer: L,
    subscribe: Subscribe<T, B>,
    group: Option<String>,
    transport: Transport,
    concurrency: usize,
    max_run: Option<Duration>,
}

impl<T, B: Subscriber<T> + Clone + 'static, H> DeliveryRoute<T, B, H> {
    /// Hands what `bus` delivers for `filter` to `handler`.
    pub fn new(filter: &str, bus: &B, handler: H) -> Self
    where
        H: Stage<Delivery<T, B::Acker>>,
    {
        Self {
            name: None,
            filter: filter.to_owned(),
            bus: bus.clone(),
            handler,
            layer: Identity::new(),
            subscribe: |bus, filter, _| Box::pin(async move { bus.subscribe(filter.as_str()).await }),
            group: None,
            transport: Transport::OfType(TypeId::of::<B>()),
            concurrency: 1,
            max_run: Some(MAX_RUN),
        }
    }
}

impl<T, B: Subscriber<T> + 'static, H, L> DeliveryRoute<T, B, H, L> {
    /// Names the route in errors, events, metrics and reports. Default: its filter.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many deliveries are handled at the same time. Default 1, which keeps the transport's order; at least 1.
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.concurrency = handlers;
        self
    }

    /// How long one handler call may take; then it is dropped, with the delivery if it still has it. Default 5 minutes; zero is
    /// refused.
    pub fn max_run_time(mut self, limit: Duration) -> Self {
        self.max_run = Some(limit);
        self
    }

    /// Lets a handler call take as long as it likes.
    pub fn without_run_limit(mut self) -> Self {
        self.max_run = None;
        self
    }

    /// Shares the messages with every other member of `group`: each goes to one of them.
    pub fn queue_group(mut self, group: impl Into<String>) -> Self
    where
        B: QueueSubscriber<T>,
    {
        self.group = Some(group.into());
        self.transport = self.bus.instance().map_or(self.transport, Transport::Known);
        self.subscribe = |bus, filter, group| {
            Box::pin(async move { bus.subscribe_group(filter.as_str(), &group.unwrap_or_default()).await })
        };
        self
    }

    /// Wraps the handler. Layers added later are further out.
    pub fn layer<N>(self, layer: N) -> DeliveryRoute<T, B, H, Stack<L, N>> {
        DeliveryRoute {
            name: self.name,
            filter: self.filter,
            bus: self.bus,
            handler: self.handler,
            layer: Stack::new(self.layer, layer),
            subscribe: self.subscribe,
            group: self.group,
            transport: self.transport,
            concurrency: self.concurrency,
            max_run: self.max_run,
        }
    }

    fn check(&self) -> Result<SubjectFilter> {
        let invalid = |message: &str| Err(Error::new(ErrorKind::InvalidInput, message.to_owned()));
        if self.concurrency == 0 {
            return invalid("the concurrency is 0; it is at least 1");
        }
        if self.max_run == Some(Duration::ZERO) {
            return invalid("the run time is limited to nothing; use `without_run_limit` for no limit");
        }
        if self.group.as_deref() == Some("") {
            return invalid("the queue group has no name");
        }
        SubjectFilter::new(&self.filter)
    }
}

impl<T, B, H, L, S, O> AddRoute<S, O> for DeliveryRoute<T, B, H, L>
where
    T: Send + 'static,
    B: Subscriber<T, Deliveries: 'static> + Clone + 'static,
    L: Layer<H>,
    O: Layer<L::Service>,
    O::Service: Stage<Delivery<T, B::Acker>, Error: Into<Failure>> + 'static,
{
    fn plan(self, _state: S, outer: &O) -> Plan {
        let is_named = self.name.is_some();
        let name = self.name.clone().unwrap_or_else(|| self.filter.clone());
        let exclusive = self.group.clone().map(|group| (self.filter.clone(), group, self.transport));
        let made = self.check().map(|filter| {
            let start: Box<dyn Start> = Box::new(Starting {
                bus: self.bus,
                stage: outer.layer(self.layer.layer(self.handler)),
                subscribe: self.subscribe,
                group: self.group,
                concurrency: self.concurrency,
                max_run: self.max_run,
            });
            (filter, start)
        });
        Plan { name, is_named, answers: false, exclusive, made }
    }
}

/// A route that was checked and waits for the router to run.
struct Starting<T, B: Subscriber<T>, H> {
    bus: B,
    stage: H,
    subscribe: Subscribe<T, B>,
    group: Option<String>,
    concurrency: usize,
    max_run: Option<Duration>,
}

impl<T, B, H> Start for Starting<T, B, H>
where
    T: Send + 'static,
    B: Subscriber<T, Deliveries: 'static> + Clone + 'static,
    H: Stage<Delivery<T, B::Acker>, Error: Into<Failure>> + 'static,
{
    fn start(self: Box<Self>, shared: Arc<Shared>) -> BoxFuture<'static, Result<Work>> {
        Box::pin(async move {
            let Self { bus, stage, subscribe, group, concurrency, max_run } = *self;
            let filter = shared.filter.clone();
            let subscribe = Box::new(move || subscribe(bus.clone(), filter.clone(), group.clone()));
            let source = Source::open(Arc::clone(&shared), subscribe, B::backlog).await?;
            let telemetry = Telemetry::for_route(shared.filter.clone());
            let stage = Arc::new(stage);
            let workers = Feed::split(source, concurrency).into_iter().map(|feed| -> BoxFuture<'static, Result<()>> {
                let work = DeliveryWork {
                    shared: Arc::clone(&shared),
                    counters: shared.add_worker(),
                    stage: Arc::clone(&stage),
                    max_run,
                    telemetry: telemetry.clone(),
                };
                Box::pin(worker::deliveries(work, feed))
            });
            Ok(Work { workers: workers.collect(), flush: Box::pin(ready(Ok(()))) })
        })
    }
}

impl<T, B: Subscriber<T>, H, L> fmt::Debug for DeliveryRoute<T, B, H, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryRoute")
            .field("name", &self.name)
            .field("filter", &self.filter)
            .field("payload", &type_name::<T>())
            .field("group", &self.group)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
