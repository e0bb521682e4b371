//! What every route that takes deliveries has: its name, where they come from, how many at once and for how long.

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use flux_core::{BoxFuture, Error, ErrorKind, QueueSubscriber, Result, SubjectFilter, Subscriber};

use crate::plan::{Plan, Start, Transport};
use crate::shared::Shared;
use crate::source::{Feed, Source};

/// Handlers that run longer are taken for hung.
pub(crate) const MAX_RUN: Duration = Duration::from_mins(5);

type Subscribe<T, B> =
    fn(B, SubjectFilter, Option<String>) -> BoxFuture<'static, Result<<B as Subscriber<T>>::Deliveries>>;

/// As it is told, until the route starts.
pub(crate) struct Intake<T, B: Subscriber<T>> {
    pub(crate) name: Option<String>,
    pub(crate) filter: String,
    pub(crate) bus: B,
    subscribe: Subscribe<T, B>,
    pub(crate) group: Option<String>,
    transport: Transport,
    pub(crate) concurrency: usize,
    pub(crate) max_run: Option<Duration>,
}

/// What a route is told of its intake.
macro_rules! intake_options {
    () => {
        /// Names the route in errors, events, metrics and reports. Default: its filter.
        pub fn named(mut self, name: impl Into<String>) -> Self {
            self.intake.name = Some(name.into());
            self
        }

        /// How many messages are handled at the same time. Default 1, which keeps the transport's order; at least 1.
        pub fn concurrency(mut self, handlers: usize) -> Self {
            self.intake.concurrency = handlers;
            self
        }

        /// Lets a handler call take as long as it likes.
        pub fn without_run_limit(mut self) -> Self {
            self.intake.max_run = None;
            self
        }
    };
}
pub(crate) use intake_options;

impl<T, B: Subscriber<T> + Clone + 'static> Intake<T, B> {
    pub(crate) fn new(filter: &str, bus: &B) -> Self {
        Self {
            name: None,
            filter: filter.to_owned(),
            bus: bus.clone(),
            subscribe: |bus, filter, _| Box::pin(async move { bus.subscribe(filter.as_str()).await }),
            group: None,
            transport: Transport::OfType(TypeId::of::<B>()),
            concurrency: 1,
            max_run: Some(MAX_RUN),
        }
    }

    pub(crate) fn join(&mut self, group: String)
    where
        B: QueueSubscriber<T>,
    {
        self.group = Some(group);
        self.transport = self.bus.instance().map_or(self.transport, Transport::Known);
        self.subscribe = |bus, filter, group| {
            Box::pin(async move { bus.subscribe_group(filter.as_str(), &group.unwrap_or_default()).await })
        };
    }

    pub(crate) fn check(&self) -> Result<SubjectFilter> {
        let invalid = |message: &str| Err(Error::new(ErrorKind::InvalidInput, message.to_owned()));
        let filter = SubjectFilter::new(&self.filter)?;
        if self.concurrency == 0 {
            return invalid("the concurrency is 0; it is at least 1");
        }
        if self.max_run == Some(Duration::ZERO) {
            return invalid("the run time is limited to nothing; use `without_run_limit` for no limit");
        }
        if self.group.as_deref() == Some("") {
            return invalid("the queue group has no name");
        }
        Ok(filter)
    }

    /// A route with this intake, once it is known how it starts.
    pub(crate) fn plan(self, start: impl FnOnce(Self) -> Result<(SubjectFilter, Box<dyn Start>)>) -> Plan {
        let is_named = self.name.is_some();
        let name = self.name.clone().unwrap_or_else(|| self.filter.clone());
        let exclusive = self.group.clone().map(|group| (self.filter.clone(), group, self.transport));
        Plan { name, is_named, answers: false, exclusive, made: start(self) }
    }

    /// Subscribes: one feed a worker.
    pub(crate) async fn open(self, shared: &Arc<Shared>) -> Result<Vec<Feed<B::Deliveries>>>
    where
        B: Subscriber<T, Deliveries: 'static>,
    {
        let Self { bus, subscribe, group, .. } = self;
        let filter = shared.filter.clone();
        let subscribe = Box::new(move || subscribe(bus.clone(), filter.clone(), group.clone()));
        let source = Source::open(Arc::clone(shared), subscribe, B::backlog).await?;
        Ok(Feed::split(source, self.concurrency))
    }
}
