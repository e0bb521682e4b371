//! What OpenTelemetry gets to know of routes. It asks when it collects, so that a message pays nothing.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use flux_core::telemetry::{meter, semconv};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::RouteMetrics;
use crate::metrics::Workers;
use crate::shared::Shared;
use crate::standing::Standing;

/// How often a transport is asked for the backlog of a route: it may be a server.
const LOOK: Duration = Duration::from_secs(10);

/// Reports the routes to the global meter until the returned set is dropped, if there is a meter that collects.
pub(crate) fn report(routes: &[Arc<Shared>]) -> JoinSet<()> {
    let mut looks = JoinSet::new();
    if let Some(meter) = meter() {
        let observed: Routes = Arc::new(routes.iter().map(Observed::of).collect());
        register(&meter, &observed);
        for index in 0..observed.len() {
            looks.spawn(look(Arc::clone(&observed), index));
        }
    }
    looks
}

/// A route and the attributes of its metrics. OpenTelemetry keeps callbacks for ever, so they do not keep the route; only its
/// counters, which are collected once more when the program ends.
struct Observed {
    route: Weak<Shared>,
    workers: Arc<Workers>,
    attributes: Vec<KeyValue>,
    standing: Mutex<Standing>,
}

impl Observed {
    fn standing(&self) -> Standing {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(route: &Arc<Shared>) -> Self {
        let attributes = vec![
            KeyValue::new(semconv::ROUTE, route.name.clone()),
            KeyValue::new(semconv::DESTINATION_TEMPLATE, route.filter.to_string()),
        ];
        Self {
            route: Arc::downgrade(route),
            workers: Arc::clone(&route.workers),
            attributes,
            standing: Mutex::default(),
        }
    }
}

type Routes = Arc<Vec<Observed>>;

fn register(meter: &Meter, routes: &Routes) {
    gauge(meter, routes, semconv::ROUTE_IN_FLIGHT, "Messages taken and not settled.", |route, _| {
        Some(route.metrics().in_flight)
    });
    gauge(meter, routes, semconv::ROUTE_LAG, "Messages that are there and not settled.", |_, standing| standing.lag);
    let observed = Arc::clone(routes);
    let oldest = meter.f64_observable_gauge(semconv::ROUTE_OLDEST_AGE).with_unit("s");
    let oldest = oldest.with_description("How long ago the oldest message that is not settled was stored.");
    oldest.with_callback(move |observer| each(&observed, observer, |_, standing| standing.age())).build();

    counter(meter, routes, semconv::ROUTE_HANDLED, "Messages handled with success.", |done| done.handled);
    counter(meter, routes, semconv::ROUTE_RETRIES, "Attempts after the first.", |done| done.retried);
    counter(meter, routes, semconv::ROUTE_DEAD_LETTERS, "Messages stored as dead letters.", |done| done.dead_lettered);
    counter(meter, routes, semconv::ROUTE_LOST, "Messages given up without a dead letter.", |done| done.lost);
    counter(meter, routes, semconv::ROUTE_UNDECODABLE, "Messages that did not decode.", |done| done.undecodable);
    counter(meter, routes, semconv::ROUTE_UNSETTLED, "Settlements that did not arrive.", |done| done.unsettled);
    failures(meter, Arc::clone(routes));
}

type Read<N> = fn(&Shared, Standing) -> Option<N>;

/// Observes each route that is still there and has something to say.
fn each<N>(routes: &Routes, observer: &dyn AsyncInstrument<N>, read: impl Fn(&Shared, Standing) -> Option<N>) {
    for observed in routes.iter() {
        let value = observed.route.upgrade().and_then(|route| read(&route, observed.standing()));
        if let Some(value) = value {
            observer.observe(value, &observed.attributes);
        }
    }
}

fn gauge(meter: &Meter, routes: &Routes, name: &'static str, what: &'static str, read: Read<u64>) {
    let routes = Arc::clone(routes);
    let gauge = meter.u64_observable_gauge(name).with_unit("{message}").with_description(what);
    gauge.with_callback(move |observer| each(&routes, observer, read)).build();
}

fn counter(meter: &Meter, routes: &Routes, name: &'static str, what: &'static str, read: fn(&RouteMetrics) -> u64) {
    let routes = Arc::clone(routes);
    let counter = meter.u64_observable_counter(name).with_unit("{message}").with_description(what);
    let observe = move |observer: &dyn AsyncInstrument<u64>| {
        for observed in routes.iter() {
            observer.observe(read(&observed.workers.total()), &observed.attributes);
        }
    };
    counter.with_callback(observe).build();
}

fn failures(meter: &Meter, routes: Routes) {
    let counter = meter.u64_observable_counter(semconv::ROUTE_FAILURES).with_unit("{call}");
    let counter = counter.with_description("Handler calls that failed, by class.");
    let observe = move |observer: &dyn AsyncInstrument<u64>| {
        for Observed { workers, attributes, .. } in routes.iter() {
            let done = workers.total();
            let classes = [
                ("drop", done.failed_drop),
                ("panic", done.failed_panic),
                ("permanent", done.failed_permanent),
                ("retry", done.failed_retry),
                ("timeout", done.failed_timeout),
            ];
            for (class, count) in classes {
                let class = KeyValue::new(semconv::ROUTE_FAILURE, class);
                observer.observe(count, &[attributes.as_slice(), &[class]].concat());
            }
        }
    };
    counter.with_callback(observe).build();
}

/// Asks for a route's backlog from time to time, until the route is gone.
async fn look(routes: Routes, index: usize) {
    let Some(observed) = routes.get(index) else { return };
    while let Some(route) = observed.route.upgrade() {
        // What a transport said before must not stand when it does not answer any more.
        let standing = timeout(LOOK, route.standing()).await.unwrap_or_default();
        *observed.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
        drop(route);
        sleep(LOOK).await;
    }
}
