//! The router as it is put together.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use flux_core::{Error, ErrorKind, Failure, Handler, Message, Publisher, Responder, Result, Stage, Subscriber};
use tower_layer::{Identity, Layer, Stack};

use crate::event::{Event, Listener};
use crate::handle::{Handle, Phase};
use crate::handler::IntoHandler;
use crate::plan::{AddRoute, Plan};
use crate::run::{Ready, run};
use crate::shared::About;
use crate::{Report, RequestRoute, Route, SecondSignal};

/// How long a drain may take unless configured.
const DRAIN: Duration = Duration::from_secs(30);

/// Routes and what they share: state, layers, a listener for events. Runs until it is asked to stop.
///
/// State and layers come before the routes they are for. A mistake in a route is an error that names it, from
/// [`check`](Self::check) and from every `run…` before anything is subscribed.
///
/// ```
/// use flux_core::{Failure, Message, Publisher};
/// use flux_mem::Mem;
/// use flux_router::{Router, State};
///
/// async fn on_total(total: Message<f64>, State(tax): State<f64>) -> Result<(), Failure> {
///     println!("{}", total.payload * tax);
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> flux_core::Result<()> {
/// let bus = Mem::new();
/// let router = Router::new().with_state(1.19).route("orders.total", &bus, on_total);
/// let handle = router.handle();
/// let running = tokio::spawn(router.run());
///
/// handle.ready().await?;
/// bus.publish("orders.total", 9.5).await?;
/// handle.settled().await?;
/// handle.stop();
/// assert_eq!(running.await.unwrap()?.total().handled, 1);
/// # Ok(()) }
/// ```
#[must_use = "a router does nothing until it runs"]
pub struct Router<S = (), L = Identity> {
    state: S,
    layers: L,
    plans: Vec<Plan>,
    listener: Option<Listener>,
    drain: Duration,
    handle: Handle,
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}

impl Router {
    /// A router without routes.
    pub fn new() -> Self {
        Self {
            state: (),
            layers: Identity::new(),
            plans: Vec::new(),
            listener: None,
            drain: DRAIN,
            handle: Handle::new(),
        }
    }
}

impl<S: Clone, L> Router<S, L> {
    /// The state for the routes that are added from here on. Handlers get at it with [`State`](crate::State).
    pub fn with_state<N>(self, state: N) -> Router<N, L> {
        let Self { layers, plans, listener, drain, handle, .. } = self;
        Router { state, layers, plans, listener, drain, handle }
    }

    /// Wraps the handlers of the routes that are added from here on, outside of their own layers. Layers added later are
    /// further out.
    pub fn layer<N>(self, layer: N) -> Router<S, Stack<L, N>> {
        let Self { state, layers, plans, listener, drain, handle } = self;
        Router { state, layers: Stack::new(layers, layer), plans, listener, drain, handle }
    }

    /// Handles what `bus` delivers for `filter`, with the defaults of [`Route`].
    pub fn route<T, B, H, M>(self, filter: &str, bus: &B, handler: H) -> Self
    where
        T: Clone + Send + 'static,
        M: 'static,
        B: Subscriber<T, Deliveries: 'static> + Publisher<T> + Clone + 'static,
        H: IntoHandler<T, S, M>,
        L: Layer<H::Stage>,
        L::Service: Handler<T> + 'static,
    {
        self.add(Route::new(filter, bus, handler))
    }

    /// Answers the requests that come to `subject` over `bus`, with the defaults of [`RequestRoute`].
    pub fn respond<Req, B, H, M>(self, subject: &str, bus: &B, handler: H) -> Self
    where
        Req: Send + 'static,
        M: 'static,
        H: IntoHandler<Req, S, M>,
        L: Layer<H::Stage>,
        L::Service: Stage<Message<Req>, Out: Send + 'static, Error: Into<Failure>> + 'static,
        B: Responder<Req, <L::Service as Stage<Message<Req>>>::Out, Requests: 'static> + Clone + 'static,
    {
        self.add(RequestRoute::new(subject, bus, handler))
    }

    /// Adds a route with options of its own.
    #[expect(clippy::should_implement_trait, reason = "nobody adds a route with `+`; the short forms are verbs too")]
    pub fn add(mut self, route: impl AddRoute<S, L>) -> Self {
        let plan = route.plan(self.state.clone(), &self.layers);
        self.plans.push(plan);
        self
    }

    /// Calls `listener` with the name of the route when something happens that an operator should hear of. It is called
    /// from the workers, so it must not block. When it panics, that event is lost and nothing else.
    pub fn on_event(mut self, listener: impl Fn(&str, &Event<'_>) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// How long handlers may go on after the router was asked to stop; what still runs then is dropped and withheld.
    /// Default 30 s.
    ///
    /// Transports are flushed in the same time: those of the routes, and where their dead letters go. When handlers took all of it,
    /// they have one second more. What handlers publish over another transport is theirs to flush.
    pub fn drain_for(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Watches and steers this router while it runs elsewhere.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Checks the routes, without starting anything.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] or [`ErrorKind::InvalidSubject`], naming the route; also when there are no routes, two with
    /// the same name given to them, or two on one queue group.
    pub fn check(&self) -> Result<()> {
        if self.plans.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "the router has no routes"));
        }
        let (mut groups, mut names) = (HashSet::new(), HashSet::new());
        for plan in &self.plans {
            if let Err(error) = &plan.made {
                return Err(named(plan, error.kind(), &error.to_string()));
            }
            if plan.is_named && !names.insert(&plan.name) {
                return Err(named(plan, ErrorKind::InvalidInput, "another route was given the same name"));
            }
            if let Some(exclusive) = &plan.exclusive
                && !groups.insert(exclusive)
            {
                let message = format!("another route has the same filter and queue group, `{}`", exclusive.1);
                return Err(named(plan, ErrorKind::InvalidInput, &message));
            }
        }
        Ok(())
    }

    /// Runs until `shutdown` is done, then drains.
    ///
    /// `shutdown` may be any future. When it is [`shutdown_signal`](crate::shutdown_signal), a second signal cuts the drain short, also
    /// one that [`Handle::stop`] or a route that failed began; the first signal then changes nothing.
    ///
    /// # Cancel safety
    /// Dropping the future drops the handlers where they are; a transport that redelivers delivers their messages again.
    ///
    /// # Errors
    /// Those of [`check`](Self::check); the error of a subscription that could not be made or renewed; that of a route that
    /// stops at an undecodable message; that of a transport that could not be flushed, [`ErrorKind::TimedOut`] when the drain
    /// was over before. Each names its route. All routes that were started are drained before the error is returned.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn run_until<F>(self, shutdown: F) -> Result<Report>
    where
        F: Future<Output: Into<SecondSignal>>,
    {
        if let Err(error) = self.check() {
            self.handle.enter(Phase::Failed(error.to_string()));
            return Err(error);
        }
        let Self { plans, listener, drain, handle, .. } = self;
        let part = |plan: Plan| {
            let (filter, start) = plan.made.ok()?;
            Some((About { name: plan.name, filter, answers: plan.answers }, start))
        };
        let routes = plans.into_iter().filter_map(part).collect();
        run(Ready { routes, listener, drain, handle }, shutdown).await
    }

    /// Runs until [`Handle::stop`] is called or every transport is closed, then drains.
    ///
    /// # Errors
    /// As [`run_until`](Self::run_until).
    pub async fn run(self) -> Result<Report> {
        self.run_until(std::future::pending::<()>()).await
    }
}

fn named(plan: &Plan, kind: ErrorKind, message: &str) -> Error {
    let what = if plan.answers { "request route" } else { "route" };
    Error::new(kind, format!("{what} `{}`: {message}", plan.name))
}

impl<S, L> fmt::Debug for Router<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("routes", &self.plans).field("drain", &self.drain).finish_non_exhaustive()
    }
}
