//! What happens to a connection: as a stream of events, and as counters.

#[cfg(feature = "telemetry")]
mod metrics;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_nats::Event;
use flux_core::SubjectFilter;
use futures_core::Stream;
use tokio::sync::mpsc;

/// Events that wait for one listener before the next is dropped.
const CAPACITY: usize = 256;

/// Something happened to the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NatsEvent {
    /// The client was closed, and will not connect again.
    Closed,
    /// It is connected, for the first time or again.
    Connected,
    /// The connection was lost; the client tries to get it back.
    Disconnected,
    /// The client or the server reports an error; a missing permission, for example.
    Error(String),
    /// The server is about to go. The client connects to another one when it does.
    LameDuck,
    /// A message was dropped because its subscription had too many waiting.
    SlowConsumer {
        /// What the subscription takes; `None` for one that was not made through the bus.
        filter: Option<SubjectFilter>,
    },
}

impl NatsEvent {
    /// The event's name in `snake_case`, as it stands in telemetry.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Error(_) => "error",
            Self::LameDuck => "lame_duck",
            Self::SlowConsumer { .. } => "slow_consumer",
        }
    }
}

/// How often what has happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Connections made.
    pub connected: u64,
    /// Connections lost.
    pub disconnected: u64,
    /// Errors that the client or the server reported.
    pub errors: u64,
    /// Times that a server announced it was about to go.
    pub lame_duck: u64,
    /// Messages reported as dropped because their subscription had too many waiting. In a burst the client reports fewer than it
    /// drops.
    pub slow_consumers: u64,
}

/// Watches a connection.
///
/// With the feature `telemetry`, events are also counted as the OpenTelemetry metric `flux.nats.connection.events`, with the attributes
/// `flux.event` and, for a slow consumer, `messaging.destination.template`.
///
/// [`Nats::connect`](crate::Nats::connect) makes one by itself. A client of your own reports to one like this:
///
/// ```no_run
/// use flux_nats::{Monitor, Nats};
///
/// # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
/// let monitor = Monitor::new();
/// let options = async_nats::ConnectOptions::new().event_callback({
///     let monitor = monitor.clone();
///     move |event| { monitor.observe(event); async {} }
/// });
/// let bus = Nats::new(options.connect("nats://localhost:4222").await?).with_monitor(monitor);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Monitor(Arc<Inner>);

#[derive(Default)]
struct Inner {
    connected: AtomicU64,
    disconnected: AtomicU64,
    errors: AtomicU64,
    lame_duck: AtomicU64,
    slow_consumers: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The filters of the subscriptions, by the numbers that the client gave them.
    filters: HashMap<u64, SubjectFilter>,
    slow: BTreeMap<SubjectFilter, u64>,
    listeners: Vec<mpsc::Sender<NatsEvent>>,
}

impl Monitor {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an event of the client's.
    pub fn observe(&self, event: Event) {
        let inner = &*self.0;
        let (counter, event) = match event {
            Event::Connected => (Some(&inner.connected), NatsEvent::Connected),
            Event::Disconnected => (Some(&inner.disconnected), NatsEvent::Disconnected),
            Event::LameDuckMode => (Some(&inner.lame_duck), NatsEvent::LameDuck),
            Event::Closed => (None, NatsEvent::Closed),
            Event::SlowConsumer(sid) => {
                (Some(&inner.slow_consumers), NatsEvent::SlowConsumer { filter: inner.count_slow(sid) })
            }
            Event::ServerError(error) => (Some(&inner.errors), NatsEvent::Error(error.to_string())),
            Event::ClientError(error) => (Some(&inner.errors), NatsEvent::Error(error.to_string())),
            Event::Draining => return,
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        #[cfg(feature = "telemetry")]
        metrics::count(&event);
        // Whoever is too slow for events of a connection misses some; whoever is gone is forgotten.
        inner
            .lock()
            .listeners
            .retain(|listener| !matches!(listener.try_send(event.clone()), Err(mpsc::error::TrySendError::Closed(_))));
    }

    /// The events from now on. A listener that has 256 waiting misses further ones.
    #[must_use]
    pub fn events(&self) -> NatsEvents {
        let (listener, events) = mpsc::channel(CAPACITY);
        self.0.lock().listeners.push(listener);
        NatsEvents(events)
    }

    /// How often what has happened.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            connected: read(&self.0.connected),
            disconnected: read(&self.0.disconnected),
            errors: read(&self.0.errors),
            lame_duck: read(&self.0.lame_duck),
            slow_consumers: read(&self.0.slow_consumers),
        }
    }

    /// The messages reported as dropped, by the filter of the subscription that was too slow.
    #[must_use]
    pub fn slow_consumers(&self) -> BTreeMap<SubjectFilter, u64> {
        self.0.lock().slow.clone()
    }

    /// Knows a subscription from now on, until the returned value is dropped.
    pub(crate) fn watch(&self, subscriber: &async_nats::Subscriber, filter: &SubjectFilter) -> Watched {
        let sid = sid(subscriber);
        if let Some(sid) = sid {
            self.0.lock().filters.insert(sid, filter.clone());
        }
        Watched { monitor: self.clone(), sid }
    }
}

impl Inner {
    fn count_slow(&self, sid: u64) -> Option<SubjectFilter> {
        let mut state = self.lock();
        let filter = state.filters.get(&sid)?.clone();
        *state.slow.entry(filter.clone()).or_default() += 1;
        Some(filter)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number that the client's events name a subscription by. The client shows it in its `Debug` text and nowhere else.
fn sid(subscriber: &async_nats::Subscriber) -> Option<u64> {
    let text = format!("{subscriber:?}");
    let (_, after) = text.split_once("sid: ")?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// A subscription that the monitor knows.
pub(crate) struct Watched {
    monitor: Monitor,
    sid: Option<u64>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(sid) = self.sid {
            self.monitor.0.lock().filters.remove(&sid);
        }
    }
}

/// The events of a connection, one after the other. Ends with the bus.
#[derive(Debug)]
pub struct NatsEvents(mpsc::Receiver<NatsEvent>);

impl Stream for NatsEvents {
    type Item = NatsEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<NatsEvent>> {
        self.0.poll_recv(cx)
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Monitor").field(&self.counters()).finish()
    }
}
