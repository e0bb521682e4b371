//! A route for requests: a subject, a transport, a handler that answers, and their options.

use std::fmt;
use std::future::ready;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use flux_core::{
    BoxFuture, Error, ErrorKind, Failure, Message, Responder, Result, Stage, Subject, SubjectFilter, Telemetry,
};
use tower_layer::{Identity, Layer, Stack};

use crate::answer::Answering;
use crate::handler::IntoHandler;
use crate::inline;
use crate::intake::MAX_RUN;
use crate::plan::{AddRoute, Plan, Start, Work};
use crate::request_work::{Desk, RequestWork};
use crate::shared::Shared;
use crate::source::{Feed, Source};
use crate::worker;

/// A route for requests. [`Router::add`](crate::Router::add) takes it; [`Router::respond`](crate::Router::respond) is the short
/// form.
///
/// Every request gets an answer: the handler's response, the error it returned, or one with a code of the router's own.
///
/// | code | why |
/// |---|---|
/// | 400, 401, 413, 415 | the request did not decode: its payload is malformed, not signed, too large, of another content type |
/// | 500 | the handler panicked, was cut off, or failed without a code; or its response does not encode |
/// | 503 | the route was paused, and stops before it took the request; transports with a queue say in their own way that nobody did |
/// | 504 | the handler took too long |
///
/// Defaults: one request at a time, five minutes for one handler call.
#[must_use = "a route does nothing until it is added to a router"]
pub struct RequestRoute<Req, B, H, M, L = Identity> {
    name: Option<String>,
    filter: String,
    wildcards: bool,
    bus: B,
    handler: H,
    layer: L,
    concurrency: usize,
    max_run: Option<Duration>,
    marker: PhantomData<fn(Req) -> M>,
}

impl<Req, B: Clone, H, M> RequestRoute<Req, B, H, M> {
    /// Answers the requests that come to `subject` over `bus` with `handler`.
    pub fn new(subject: &str, bus: &B, handler: H) -> Self {
        Self {
            name: None,
            filter: subject.to_owned(),
            wildcards: false,
            bus: bus.clone(),
            handler,
            layer: Identity::new(),
            concurrency: 1,
            max_run: Some(MAX_RUN),
            marker: PhantomData,
        }
    }
}

impl<Req, B: Clone, H, M> RequestRoute<Req, Answering<B>, H, M> {
    /// As [`new`](Self::new), for a handler that gives its response as an [`Answer`](crate::Answer): with a status and headers.
    pub fn answering(subject: &str, bus: &B, handler: H) -> Self {
        Self::new(subject, &Answering(bus.clone()), handler)
    }
}

impl<Req, B, H, M, L> RequestRoute<Req, B, H, M, L> {
    /// Names the route in errors, events, metrics and reports. Default: its subject.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Allows wildcards in the subject, so that one route answers many subjects.
    pub fn with_wildcards(mut self) -> Self {
        self.wildcards = true;
        self
    }

    /// How many requests are answered at the same time. Default 1; at least 1.
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.concurrency = handlers;
        self
    }

    /// How long one handler call may take; then it is dropped and the requester gets an error with code 504. Default 5
    /// minutes; zero is refused.
    pub fn max_run_time(mut self, limit: Duration) -> Self {
        self.max_run = Some(limit);
        self
    }

    /// Lets a handler call take as long as it likes.
    pub fn without_run_limit(mut self) -> Self {
        self.max_run = None;
        self
    }

    /// Wraps the handler. Layers added later are further out.
    pub fn layer<N>(self, layer: N) -> RequestRoute<Req, B, H, M, Stack<L, N>> {
        RequestRoute {
            name: self.name,
            filter: self.filter,
            wildcards: self.wildcards,
            bus: self.bus,
            handler: self.handler,
            layer: Stack::new(self.layer, layer),
            concurrency: self.concurrency,
            max_run: self.max_run,
            marker: self.marker,
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
        if self.wildcards { SubjectFilter::new(&self.filter) } else { Subject::new(&self.filter).map(Into::into) }
    }
}

impl<Req, B, H, M, L, S, O> AddRoute<S, O> for RequestRoute<Req, B, H, M, L>
where
    Req: Send + 'static,
    M: 'static,
    H: IntoHandler<Req, S, M>,
    L: Layer<H::Stage>,
    O: Layer<L::Service>,
    O::Service: Stage<Message<Req>, Out: Send + 'static, Error: Into<Failure>> + 'static,
    B: Responder<Req, <O::Service as Stage<Message<Req>>>::Out, Requests: 'static> + Clone + 'static,
{
    fn plan(self, state: S, outer: &O) -> Plan {
        let is_named = self.name.is_some();
        let name = self.name.clone().unwrap_or_else(|| self.filter.clone());
        let made = self.check().and_then(|filter| {
            let stage = self.handler.into_stage(&filter, state)?;
            let start: Box<dyn Start> = Box::new(Starting {
                bus: self.bus,
                stage: outer.layer(self.layer.layer(stage)),
                concurrency: self.concurrency,
                max_run: self.max_run,
                wants_metadata: H::METADATA,
                request: PhantomData,
            });
            Ok((filter, start))
        });
        Plan { name, is_named, answers: true, exclusive: None, made }
    }
}

/// A route that was checked and waits for the router to run.
struct Starting<Req, B, H> {
    bus: B,
    stage: H,
    concurrency: usize,
    max_run: Option<Duration>,
    wants_metadata: bool,
    request: PhantomData<fn(Req)>,
}

impl<Req, B, H> Start for Starting<Req, B, H>
where
    Req: Send + 'static,
    H: Stage<Message<Req>, Out: Send + 'static, Error: Into<Failure>> + 'static,
    B: Responder<Req, H::Out, Requests: 'static> + Clone + 'static,
{
    fn start(self: Box<Self>, shared: Arc<Shared>) -> BoxFuture<'static, Result<Work>> {
        Box::pin(async move {
            let Self { bus, concurrency, .. } = *self;
            let replying = bus.clone();
            let desk = Arc::new(Desk {
                shared: Arc::clone(&shared),
                stage: self.stage,
                max_run: self.max_run,
                telemetry: Telemetry::for_route(shared.filter.clone()),
                wants_metadata: self.wants_metadata,
            });
            let mut ended: BoxFuture<'static, ()> = Box::pin(ready(()));
            let workers = if let Some(opened) = inline::open(&desk, bus.clone(), concurrency).await? {
                ended = opened.ended;
                vec![opened.watching]
            } else {
                let filter = shared.filter.clone();
                let subscribe = Box::new(move || -> BoxFuture<'static, Result<B::Requests>> {
                    let (bus, filter) = (bus.clone(), filter.clone());
                    Box::pin(async move { bus.listen(filter.as_str()).await })
                });
                let source = Source::open(shared, subscribe, |_| None).await?;
                let workers = Feed::split(source, concurrency).into_iter().map(|feed| -> BoxFuture<'static, _> {
                    Box::pin(worker::requests::<Req, _, _, _>(RequestWork::new(&desk), feed))
                });
                workers.collect()
            };
            let flush = Box::pin(async move {
                ended.await;
                replying.flush_replies().await
            });
            Ok(Work { workers, flush })
        })
    }
}

impl<Req, B, H, M, L> fmt::Debug for RequestRoute<Req, B, H, M, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestRoute")
            .field("name", &self.name)
            .field("subject", &self.filter)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
