//! A route for messages: a filter, a transport, a handler and their options.

use std::any::type_name;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use flux_core::{
    ArcPublisher, BoxFuture, DynPublisher, Error, ErrorKind, Handler, Message, Publisher, QueueSubscriber, Result,
    Subject, SubjectFilter, Subscriber, Telemetry,
};
use tower_layer::{Identity, Layer, Stack};

use crate::dead_letter::DeadLetters;
use crate::handler::IntoHandler;
use crate::intake::{Intake, intake_options};
use crate::key_order::{KeyOf, KeyOrder};
use crate::message_work::MessageWork;
use crate::plan::{AddRoute, Flush, Plan, Start, Work};
use crate::shared::Shared;
use crate::{Ladder, worker};

/// What a route does with a message whose payload does not decode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undecodable {
    /// Stores it as a dead letter, bytes intact.
    #[default]
    DeadLetter,
    /// Drops it; it is counted and reported as an event.
    Drop,
    /// Stops the router with an error; the message stays unsettled.
    Stop,
}

/// A route for messages. [`Router::add`](crate::Router::add) takes it; [`Router::route`](crate::Router::route) is the short form.
///
/// Defaults: one message at a time, [`Ladder::default`], dead letters to `dlq.<subject>` over the same transport, five minutes
/// for one handler call.
///
/// ```
/// # use flux_core::{Failure, Message};
/// # use flux_mem::Mem;
/// # use flux_router::{Ladder, Route, Router};
/// # #[derive(Clone)] struct Order { id: u64 }
/// # async fn audit(_: Message<Order>) -> Result<(), Failure> { Ok(()) }
/// # let bus = Mem::new();
/// let route = Route::new("orders.*.audit", &bus, audit)
///     .named("audit")
///     .concurrency(16)
///     .ordered_by(|message: &Message<Order>| message.payload.id)
///     .ladder(Ladder::new().with_attempts(3))
///     .dead_letters("audit.failed");
/// let router = Router::new().add(route);
/// # router.check().unwrap();
/// ```
#[must_use = "a route does nothing until it is added to a router"]
pub struct Route<T, B: Subscriber<T>, H, M, L = Identity> {
    intake: Intake<T, B>,
    handler: H,
    layer: L,
    key: Option<KeyOf<T>>,
    ladder: Ladder,
    undecodable: Undecodable,
    /// The bus, where it publishes too.
    publisher: Option<ArcPublisher<T>>,
    dead_letters: Option<ArcPublisher<T>>,
    dead_letter_subject: Option<String>,
    marker: PhantomData<fn() -> M>,
}

impl<T, B, H, M> Route<T, B, H, M>
where
    T: Clone + Send + 'static,
    B: Subscriber<T> + Clone + 'static,
{
    /// Handles what `bus` delivers for `filter` with `handler`.
    pub fn new(filter: &str, bus: &B, handler: H) -> Self
    where
        B: Publisher<T>,
    {
        let publisher: ArcPublisher<T> = Arc::new(bus.clone());
        let dead_letters = Some(Arc::clone(&publisher));
        Self { publisher: Some(publisher), dead_letters, ..Self::receiving(filter, bus, handler) }
    }

    /// As [`new`](Self::new), on a transport that only delivers: there are no dead letters unless
    /// [`dead_letters_through`](Self::dead_letters_through) says where to, and a drain flushes nothing but those.
    pub fn receiving(filter: &str, bus: &B, handler: H) -> Self {
        Self {
            intake: Intake::new(filter, bus),
            handler,
            layer: Identity::new(),
            key: None,
            ladder: Ladder::default(),
            undecodable: Undecodable::default(),
            publisher: None,
            dead_letters: None,
            dead_letter_subject: None,
            marker: PhantomData,
        }
    }
}

impl<T, B, H, M, L> Route<T, B, H, M, L>
where
    T: Clone + Send + 'static,
    B: Subscriber<T> + Clone + 'static,
{
    intake_options!();

    /// Handles messages with equal keys one after the other, in the order they came, whatever the concurrency. A message
    /// that is to be delivered again later does not hold up those behind it.
    pub fn ordered_by<K: Hash>(mut self, key: impl Fn(&Message<T>) -> K + Send + Sync + 'static) -> Self {
        self.key = Some(KeyOf::new(key));
        self
    }

    /// How often and after which delays a failed message is tried again.
    pub fn ladder(mut self, ladder: Ladder) -> Self {
        self.ladder = ladder;
        self
    }

    /// How long one handler call may take; then it is dropped and counts as a failure worth a retry. Until then the transport
    /// is told every third of its ack wait that the message is being worked on. Default 5 minutes; zero is refused.
    pub fn max_run_time(mut self, limit: Duration) -> Self {
        self.intake.max_run = Some(limit);
        self
    }

    /// What becomes of messages that do not decode. Default: dead letters.
    pub fn undecodable(mut self, policy: Undecodable) -> Self {
        self.undecodable = policy;
        self
    }

    /// Publishes dead letters to this subject. Default: `dlq.` and the message's own, of which the first 1,020 bytes; all of it is in
    /// `X-Original-Subject`.
    ///
    /// A letter has its message's headers. Where they leave too little room for those that make it a letter, the largest are left
    /// out whole, and named in `X-Dropped-Headers`; what flux itself wrote on the message goes last.
    pub fn dead_letters(mut self, subject: impl Into<String>) -> Self {
        self.dead_letter_subject = Some(subject.into());
        self
    }

    /// Publishes dead letters over another transport than the route's own.
    pub fn dead_letters_through(mut self, publisher: impl Publisher<T> + 'static) -> Self {
        let publisher: Arc<dyn DynPublisher<T>> = Arc::new(publisher);
        self.dead_letters = Some(publisher);
        self
    }

    /// Drops what was given up; it is counted as lost and reported as an event.
    pub fn without_dead_letters(mut self) -> Self {
        self.dead_letters = None;
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
    pub fn layer<N>(self, layer: N) -> Route<T, B, H, M, Stack<L, N>> {
        Route {
            intake: self.intake,
            handler: self.handler,
            layer: Stack::new(self.layer, layer),
            key: self.key,
            ladder: self.ladder,
            undecodable: self.undecodable,
            publisher: self.publisher,
            dead_letters: self.dead_letters,
            dead_letter_subject: self.dead_letter_subject,
            marker: self.marker,
        }
    }

    fn check(&self) -> Result<(SubjectFilter, Option<Subject>)> {
        let invalid = |message: &str| Err(Error::new(ErrorKind::InvalidInput, message.to_owned()));
        let filter = self.intake.check()?;
        if self.ladder.attempts == 0 || self.ladder.in_place == 0 {
            return invalid("the ladder has no attempts; the first delivery counts, so there is at least 1");
        }
        if self.dead_letters.is_none() && self.dead_letter_subject.is_some() {
            return invalid("there is a subject for dead letters, but no publisher; add `dead_letters_through`");
        }
        let subject = self.dead_letter_subject.as_deref().map(Subject::new).transpose()?;
        if subject.as_ref().is_some_and(|subject| filter.matches(subject)) {
            return invalid("the dead letters' subject is one the route takes itself");
        }
        Ok((filter, subject))
    }
}

impl<T, B, H, M, L, S, O> AddRoute<S, O> for Route<T, B, H, M, L>
where
    T: Clone + Send + 'static,
    M: 'static,
    B: Subscriber<T, Deliveries: 'static> + Clone + 'static,
    H: IntoHandler<T, S, M>,
    L: Layer<H::Stage>,
    O: Layer<L::Service>,
    O::Service: Handler<T> + 'static,
{
    fn plan(self, state: S, outer: &O) -> Plan {
        let checked = self.check();
        self.intake.plan(|intake| {
            let (filter, subject) = checked?;
            let stage = self.handler.into_stage(&filter, state)?;
            let stage = outer.layer(self.layer.layer(stage));
            let dead_letters = self.dead_letters.map(|publisher| DeadLetters { publisher, subject });
            let start = Starting {
                intake,
                stage,
                key: self.key,
                ladder: self.ladder,
                undecodable: self.undecodable,
                publisher: self.publisher,
                dead_letters,
                wants_metadata: H::METADATA,
            };
            let start: Box<dyn Start> = Box::new(start);
            Ok((filter, start))
        })
    }
}

/// A route that was checked and waits for the router to run.
struct Starting<T, B: Subscriber<T>, H> {
    intake: Intake<T, B>,
    stage: H,
    key: Option<KeyOf<T>>,
    ladder: Ladder,
    undecodable: Undecodable,
    publisher: Option<ArcPublisher<T>>,
    dead_letters: Option<DeadLetters<T>>,
    wants_metadata: bool,
}

impl<T, B, H> Start for Starting<T, B, H>
where
    T: Clone + Send + 'static,
    B: Subscriber<T, Deliveries: 'static> + Clone + 'static,
    H: Handler<T> + 'static,
{
    fn start(self: Box<Self>, shared: Arc<Shared>) -> BoxFuture<'static, Result<Work>> {
        Box::pin(async move {
            let max_run = self.intake.max_run;
            let feeds = self.intake.open(&shared).await?;
            let letters = self.dead_letters.as_ref().map(|letters| Arc::clone(&letters.publisher));
            let flush = flush(self.publisher, letters);
            let dead_letters = self.dead_letters.map(Arc::new);
            let telemetry = Telemetry::for_route(shared.filter.clone());
            let stage = Arc::new(self.stage);
            let order = Arc::new(KeyOrder::default());
            let workers = feeds.into_iter().map(|feed| -> BoxFuture<'static, Result<()>> {
                let work = MessageWork {
                    shared: Arc::clone(&shared),
                    counters: shared.add_worker(),
                    stage: Arc::clone(&stage),
                    ladder: self.ladder.clone(),
                    max_run,
                    undecodable: self.undecodable,
                    dead_letters: dead_letters.clone(),
                    telemetry: telemetry.clone(),
                    wants_metadata: self.wants_metadata,
                };
                match &self.key {
                    Some(key) => Box::pin(worker::ordered(work, feed, key.clone(), Arc::clone(&order))),
                    None => Box::pin(worker::messages(work, feed)),
                }
            });
            Ok(Work { workers: workers.collect(), flush })
        })
    }
}

/// Flushes the bus, over which the handler may have published, and where the dead letters went, if that is another.
fn flush<T: Send + 'static>(bus: Option<ArcPublisher<T>>, letters: Option<ArcPublisher<T>>) -> Flush {
    let letters = letters.filter(|letters| bus.as_ref().is_none_or(|bus| !Arc::ptr_eq(bus, letters)));
    Box::pin(async move {
        let mut result = Ok(());
        for publisher in [bus, letters].into_iter().flatten() {
            result = result.and(publisher.flush_dyn().await);
        }
        result
    })
}

impl<T, B: Subscriber<T>, H, M, L> fmt::Debug for Route<T, B, H, M, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("name", &self.intake.name)
            .field("filter", &self.intake.filter)
            .field("payload", &type_name::<T>())
            .field("group", &self.intake.group)
            .field("concurrency", &self.intake.concurrency)
            .field("ladder", &self.ladder)
            .finish_non_exhaustive()
    }
}
