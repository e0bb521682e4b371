//! A circuit: the state machine with a clock and somebody to tell.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::CircuitState;
use super::config::{CircuitConfig, OnChange, nanos};
use super::state::{Change, Machine, Ticket};
use crate::CircuitOpen;
use crate::report::{Event, report};

/// The state of a [`CircuitBreaker`](crate::CircuitBreaker). Clones share it.
#[derive(Clone)]
pub struct Circuit(Arc<Shared>);

struct Shared {
    machine: Machine,
    origin: Instant,
    on_change: Option<OnChange>,
}

impl Circuit {
    /// A closed circuit.
    #[must_use]
    pub fn new(config: CircuitConfig) -> Self {
        let machine = Machine::new(config.rules(), config.tally());
        Self(Arc::new(Shared { machine, origin: Instant::now(), on_change: config.on_change }))
    }

    /// What the circuit lets through right now. Open turns to half open when the reset time has passed, with or without a
    /// call.
    #[must_use]
    pub fn state(&self) -> CircuitState {
        self.0.machine.state(|| self.0.now())
    }

    pub(super) fn enter(&self) -> Result<Admitted<'_>, CircuitOpen> {
        let shared = &*self.0;
        match shared.machine.enter(|| shared.now()) {
            Ok((ticket, change)) => {
                shared.tell(change);
                Ok(Admitted { shared, ticket: Some(ticket) })
            }
            Err(wait) => Err(CircuitOpen::new(Duration::from_nanos(wait))),
        }
    }
}

impl CircuitState {
    /// `closed`, `half_open` or `open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// A circuit for one stage.
impl From<CircuitConfig> for Circuit {
    fn from(config: CircuitConfig) -> Self {
        Self::new(config)
    }
}

/// The same circuit, for another stage.
impl From<&Self> for Circuit {
    fn from(circuit: &Self) -> Self {
        circuit.clone()
    }
}

impl Shared {
    fn now(&self) -> u64 {
        nanos(self.origin.elapsed())
    }

    #[inline]
    fn tell(&self, change: Option<Change>) {
        if let Some(change) = change {
            self.changed(change);
        }
    }

    #[cold]
    fn changed(&self, (from, to): Change) {
        report(&Event::Circuit(to));
        if let Some(tell) = &self.on_change {
            tell(from, to);
        }
    }
}

/// A call that was let through. Dropped without a result, it gives its place back.
#[derive(Debug)]
pub(super) struct Admitted<'c> {
    shared: &'c Shared,
    ticket: Option<Ticket>,
}

impl Admitted<'_> {
    #[inline]
    pub(super) fn succeed(mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.shared.tell(self.shared.machine.succeed(ticket, || self.shared.now()));
        }
    }

    pub(super) fn fail(mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.shared.tell(self.shared.machine.fail(ticket, || self.shared.now()));
        }
    }
}

impl Drop for Admitted<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.shared.machine.abandon(ticket);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit").field("state", &self.state()).finish_non_exhaustive()
    }
}
