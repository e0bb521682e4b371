//! Watches and steers a router that runs elsewhere.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flux_core::{Error, ErrorKind, Result};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::shared::Shared;
use crate::stop::Stop;
use crate::{Report, RouteReport};

/// How often [`Handle::settled`] looks again.
const LOOK: Duration = Duration::from_millis(1);

/// A router seen from outside. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

struct Inner {
    phase: watch::Sender<Phase>,
    routes: OnceLock<Vec<Arc<Shared>>>,
    stop: Arc<Stop>,
}

/// How far a router is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    New,
    Live,
    Failed(String),
    Stopped,
}

impl Handle {
    pub(crate) fn new() -> Self {
        let stop = Arc::new(Stop::default());
        Self(Arc::new(Inner { phase: watch::Sender::new(Phase::New), routes: OnceLock::new(), stop }))
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.phase.send_replace(phase);
    }

    /// The run is over; why it failed, if it did, stays known.
    pub(crate) fn leave(&self) {
        self.0.phase.send_if_modified(|phase| {
            let failed = matches!(phase, Phase::Failed(_));
            if !failed {
                *phase = Phase::Stopped;
            }
            !failed
        });
    }

    pub(crate) fn stop_flag(&self) -> Arc<Stop> {
        Arc::clone(&self.0.stop)
    }

    pub(crate) fn watch(&self, routes: Vec<Arc<Shared>>) {
        // A router runs once, so the cell is empty.
        let _ = self.0.routes.set(routes);
    }

    /// Waits until every subscription is live: what is published after that is handled.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] when the router failed to start, or was dropped or stopped before.
    pub async fn ready(&self) -> Result<()> {
        let mut phases = self.0.phase.subscribe();
        let phase = phases.wait_for(|phase| *phase != Phase::New).await.map(|phase| phase.clone());
        match phase {
            Ok(Phase::Live) => Ok(()),
            Ok(Phase::Failed(why)) => Err(Error::new(ErrorKind::Closed, format!("the router did not start: {why}"))),
            _ => Err(Error::new(ErrorKind::Closed, "the router has stopped")),
        }
    }

    /// Waits until everything published so far, and everything that this caused, is settled. For tests.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] naming a route whose transport cannot tell; the transport's own when it cannot be asked; the
    /// errors of [`ready`](Self::ready).
    pub async fn settled(&self) -> Result<()> {
        self.ready().await?;
        loop {
            if self.is_settled().await? {
                return Ok(());
            }
            if *self.0.phase.borrow() != Phase::Live {
                return Err(Error::new(ErrorKind::Closed, "the router stopped before everything was settled"));
            }
            sleep(LOOK).await;
        }
    }

    /// A handler publishes before its delivery is completed, and a delivery is completed before its transport is told. So
    /// when no delivery was completed while all backlogs were found empty, they were empty at the same time.
    async fn is_settled(&self) -> Result<bool> {
        let completed = || -> Vec<u64> { self.routes().iter().map(|route| route.completed()).collect() };
        let before = completed();
        for route in self.routes() {
            match route.is_settled().await? {
                Some(true) => {}
                Some(false) => return Ok(false),
                None if route.answers => {}
                None => {
                    let message = format!("the transport of route `{}` cannot tell what is left to do", route.name);
                    return Err(Error::new(ErrorKind::Unsupported, message));
                }
            }
        }
        Ok(before == completed())
    }

    /// What has been done so far; empty before the router runs.
    #[must_use]
    pub fn metrics(&self) -> Report {
        let report = |route: &Arc<Shared>| RouteReport { name: route.name.clone(), metrics: route.metrics() };
        Report { routes: self.routes().iter().map(report).collect(), withheld: 0 }
    }

    /// Stops a route, or all of this name, from taking deliveries; what was taken is finished.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when no route has this name.
    pub fn pause(&self, route: &str) -> Result<()> {
        self.pause_all(route, true)
    }

    /// Lets a paused route, or all of this name, go on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when no route has this name.
    pub fn resume(&self, route: &str) -> Result<()> {
        self.pause_all(route, false)
    }

    /// Asks the router to drain and stop, as its shutdown signal does. Asking again changes nothing.
    pub fn stop(&self) {
        self.0.stop.ask();
    }

    /// Waits until the router was asked to stop, by its shutdown signal, by [`stop`](Self::stop) or by a route that failed.
    pub async fn stopping(&self) {
        self.0.stop.asked().await;
    }

    fn routes(&self) -> &[Arc<Shared>] {
        self.0.routes.get().map(Vec::as_slice).unwrap_or_default()
    }

    fn pause_all(&self, name: &str, pause: bool) -> Result<()> {
        let mut found = false;
        for route in self.routes().iter().filter(|route| route.name == name) {
            route.pause(pause);
            found = true;
        }
        if found {
            return Ok(());
        }
        let known: Vec<_> = self.routes().iter().map(|route| route.name.as_str()).collect();
        let message = format!("no route is called `{name}`; there are: {}", known.join(", "));
        Err(Error::new(ErrorKind::InvalidInput, message))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("phase", &*self.0.phase.borrow()).finish_non_exhaustive()
    }
}
