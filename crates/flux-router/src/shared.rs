//! What the workers of a route, the router and its handles share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flux_core::{Backlog, Outstanding, SubjectFilter};
use tokio::sync::Notify;

use crate::event::{Event, Listener};
use crate::metrics::Counters;
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
    pub(crate) counters: Counters,
    pub(crate) stop: Arc<Stop>,
    /// Whether the route answers requests: their backlog is their requesters.
    pub(crate) answers: bool,
    /// Deliveries whose handling is over. Raised before the transport is told, see `is_settled`.
    completed: AtomicU64,
    backlog: Mutex<Option<Subscribed>>,
    paused: AtomicBool,
    resumed: Notify,
    listener: Option<Listener>,
}

/// The backlog of the current subscription.
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
            counters: Counters::default(),
            stop,
            completed: AtomicU64::new(0),
            backlog: Mutex::new(None),
            paused: AtomicBool::new(false),
            resumed: Notify::new(),
            listener,
        }
    }

    pub(crate) fn emit(&self, event: &Event<'_>) {
        if let Some(listener) = &self.listener {
            listener(&self.name, event);
        }
    }

    pub(crate) fn complete(&self) {
        self.completed.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn completed(&self) -> u64 {
        self.completed.load(Ordering::Acquire)
    }

    pub(crate) fn subscribed(&self, backlog: Option<Arc<dyn Backlog>>) {
        let completed_before = self.completed();
        *self.backlog.lock().unwrap_or_else(PoisonError::into_inner) =
            backlog.map(|backlog| Subscribed { backlog, completed_before });
    }

    /// Whether nothing is left to handle right now; `None` when the transport cannot tell.
    pub(crate) fn is_settled(&self) -> Option<bool> {
        let backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
        let subscribed = backlog.as_ref()?;
        Some(match subscribed.backlog.outstanding() {
            Outstanding::Unsettled(count) => count == 0,
            Outstanding::Accepted(count) => subscribed.completed_before + count <= self.completed(),
        })
    }

    pub(crate) fn pause(&self, pause: bool) {
        self.paused.store(pause, Ordering::Release);
        if !pause {
            self.resumed.notify_waiters();
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Waits until the route may take deliveries.
    pub(crate) async fn resumed(&self) {
        loop {
            let mut resumed = std::pin::pin!(self.resumed.notified());
            resumed.as_mut().enable();
            if !self.is_paused() {
                return;
            }
            resumed.await;
        }
    }
}
