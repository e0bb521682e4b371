//! A route whose handler gets the delivery and settles it by hand.

use std::any::type_name;
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use flux_core::{BoxFuture, Delivery, Failure, QueueSubscriber, Result, Stage, Subscriber, Telemetry};
use tower_layer::{Identity, Layer, Stack};

use crate::delivery_work::DeliveryWork;
use crate::intake::{Intake, intake_options};
use crate::plan::{AddRoute, Plan, Start, Work};
use crate::shared::Shared;
use crate::worker;

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
    intake: Intake<T, B>,
    handler: H,
    layer: L,
}

impl<T, B: Subscriber<T> + Clone + 'static, H> DeliveryRoute<T, B, H> {
    /// Hands what `bus` delivers for `filter` to `handler`.
    pub fn new(filter: &str, bus: &B, handler: H) -> Self
    where
        H: Stage<Delivery<T, B::Acker>>,
    {
        Self { intake: Intake::new(filter, bus), handler, layer: Identity::new() }
    }
}

impl<T, B: Subscriber<T> + Clone + 'static, H, L> DeliveryRoute<T, B, H, L> {
    intake_options!();

    /// How long one handler call may take; then it is dropped, with the delivery if it still has it. Default 5 minutes; zero is
    /// refused.
    pub fn max_run_time(mut self, limit: Duration) -> Self {
        self.intake.max_run = Some(limit);
        self
    }

    /// Shares the messages with every other member of `group`: each goes to one of them.
    pub fn queue_group(mut self, group: impl Into<String>) -> Self
    where
        B: QueueSubscriber<T>,
    {
        self.intake.join(group.into());
        self
    }

    /// Wraps the handler. Layers added later are further out.
    pub fn layer<N>(self, layer: N) -> DeliveryRoute<T, B, H, Stack<L, N>> {
        DeliveryRoute { intake: self.intake, handler: self.handler, layer: Stack::new(self.layer, layer) }
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
        let stage = outer.layer(self.layer.layer(self.handler));
        self.intake.plan(|intake| {
            let filter = intake.check()?;
            let start: Box<dyn Start> = Box::new(Starting { intake, stage });
            Ok((filter, start))
        })
    }
}

/// A route that was checked and waits for the router to run.
struct Starting<T, B: Subscriber<T>, H> {
    intake: Intake<T, B>,
    stage: H,
}

impl<T, B, H> Start for Starting<T, B, H>
where
    T: Send + 'static,
    B: Subscriber<T, Deliveries: 'static> + Clone + 'static,
    H: Stage<Delivery<T, B::Acker>, Error: Into<Failure>> + 'static,
{
    fn start(self: Box<Self>, shared: Arc<Shared>) -> BoxFuture<'static, Result<Work>> {
        Box::pin(async move {
            let Self { intake, stage } = *self;
            let max_run = intake.max_run;
            let feeds = intake.open(&shared).await?;
            let telemetry = Telemetry::for_route(shared.filter.clone());
            let stage = Arc::new(stage);
            let workers = feeds.into_iter().map(|feed| -> BoxFuture<'static, Result<()>> {
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
            .field("name", &self.intake.name)
            .field("filter", &self.intake.filter)
            .field("payload", &type_name::<T>())
            .field("group", &self.intake.group)
            .field("concurrency", &self.intake.concurrency)
            .finish_non_exhaustive()
    }
}
