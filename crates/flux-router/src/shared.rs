//! What the workers of a route, the router and its handles share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
#[cfg(feature = "telemetry")]
use std::time::Instant;

use flux_core::{Backlog, Outstanding, Result, SubjectFilter};

use crate::RouteMetrics;
use crate::event::{Event, Listener};
use crate::guard::caught;
use crate::metrics::{Counters, Workers};
#[cfg(feature = "telemetry")]
use crate::standing::Standing;
use crate::stop::Stop;

/// What tells a route from others.
pub(crate) struct About {
    pub(crate) name: String,
    pub(crate) filter: SubjectFilter,
    /// Whether the route answers requests: their backlog is their requesters.
    pub(crate) answers: bool,
}

/// The part of a route that has no type parameters.
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) filter: SubjectFilter,
    pub(crate) workers: Arc<Workers>,
    pub(crate) stop: Arc<Stop>,
    /// Whether the route answers requests: their backlog is their requesters.
    pub(crate) answers: bool,
    backlog: Mutex<Option<Subscribed>>,
    paused: AtomicBool,
    listener: Option<Listener>,
}

/// The backlog of the current subscription.
#[derive(Clone)]
struct Subscribed {
    backlog: Arc<dyn Backlog>,
    /// What had been completed when the subscription was made.
    completed_before: u64,
}

impl Shared {
    pub(crate) fn new(about: About, stop: Arc<Stop>, listener: Option<Listener>) -> Self {
        let About { name, filter, answers } = about;
        Self {
            name,
            filter,
            answers,
            workers: Arc::default(),
            stop,
            backlog: Mutex::new(None),
            paused: AtomicBool::new(false),
            listener,
        }
    }

    /// Tells those who listen. One that panics, be it at the text of an error, has had its say: the panic hook printed it.
    pub(crate) fn emit(&self, event: &Event<'_>) {
        #[cfg(feature = "tracing")]
        let _ = caught(|| crate::log::log(&self.name, event));
        if let Some(listener) = &self.listener {
            let _ = caught(|| listener(&self.name, event));
        }
    }

    /// Counters for one more worker.
    pub(crate) fn add_worker(&self) -> Arc<Counters> {
        self.workers.add()
    }

    /// What all workers have done so far.
    pub(crate) fn metrics(&self) -> RouteMetrics {
        self.workers.total()
    }

    /// Deliveries whose handling is over.
    pub(crate) fn completed(&self) -> u64 {
        self.workers.completed()
    }

    pub(crate) fn subscribed(&self, backlog: Option<Arc<dyn Backlog>>) {
        let completed_before = self.completed();
        *self.backlog.lock().unwrap_or_else(PoisonError::into_inner) =
            backlog.map(|backlog| Subscribed { backlog, completed_before });
    }

    /// Whether nothing is left to handle right now; `None` when the transport cannot tell.
    pub(crate) async fn is_settled(&self) -> Result<Option<bool>> {
        let Some(subscribed) = self.current() else { return Ok(None) };
        Ok(Some(self.lag(&subscribed).await? == 0))
    }

    /// How far the route is behind; `None` as far as the transport cannot tell.
    #[cfg(feature = "telemetry")]
    pub(crate) async fn standing(&self) -> Standing {
        let Some(subscribed) = self.current() else { return Standing::default() };
        let lag = self.lag(&subscribed).await.ok();
        let oldest = subscribed.backlog.oldest().await.ok().flatten();
        Standing { lag, oldest: oldest.map(|age| (age, Instant::now())) }
    }

    fn current(&self) -> Option<Subscribed> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn lag(&self, subscribed: &Subscribed) -> Result<u64> {
        Ok(match subscribed.backlog.outstanding().await? {
            Outstanding::Unsettled(count) => count,
            Outstanding::Accepted(count) => (subscribed.completed_before + count).saturating_sub(self.completed()),
        })
    }

    /// Waits until the last settlements are taken. Without a word they may be lost, and their messages delivered again.
    pub(crate) async fn confirm(&self) {
        let subscribed = self.backlog.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(Subscribed { backlog, .. }) = subscribed else { return };
        if let Err(error) = backlog.confirm().await {
            self.emit(&Event::Unsettled { error: &error });
        }
    }

    pub(crate) fn pause(&self, pause: bool) {
        self.paused.store(pause, Ordering::Release);
        self.stop.nudge();
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Waits until the route may take deliveries, or is asked to stop.
    pub(crate) async fn resumed(&self) {
        self.stop.asked_or(|| !self.is_paused()).await;
    }

    /// Whether a handler that something outside calls has to wait: for the other routes to start, or to be resumed.
    pub(crate) fn is_held(&self) -> bool {
        self.is_paused() || !self.stop.is_live()
    }

    /// Waits until such a handler may go on, or the route is asked to stop.
    pub(crate) async fn released(&self) {
        self.stop.asked_or(|| !self.is_held()).await;
    }

    /// Waits until the route may not take deliveries.
    pub(crate) async fn interrupted(&self) {
        self.stop.asked_or(|| self.is_paused()).await;
    }
}
