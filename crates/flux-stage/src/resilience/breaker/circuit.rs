//! A circuit: the state machine with a clock and somebody to tell.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "observe")]
use flux_core::telemetry::semconv;
#[cfg(feature = "observe")]
use opentelemetry::metrics::AsyncInstrument;
use tokio::time::Instant;

use super::CircuitState;
use super::config::{CircuitConfig, OnChange, nanos};
use super::state::{Change, Machine, Ticket};
use crate::CircuitOpen;

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

    /// Reports the state to OpenTelemetry as long as the circuit is there: the gauge `flux.stage.circuit.state`, 0 closed,
    /// 1 half open, 2 open, with the attribute `flux.stage`. Call it once, when the SDK is installed; without one it does
    /// nothing.
    #[cfg(feature = "observe")]
    pub fn report(&self, stage: impl Into<std::borrow::Cow<'static, str>>) {
        let Some(meter) = flux_core::telemetry::meter() else { return };
        let stage = [opentelemetry::KeyValue::new(semconv::STAGE, stage.into())];
        // OpenTelemetry keeps callbacks for ever, so this one does not keep the circuit.
        let circuit = Arc::downgrade(&self.0);
        let observe = move |observer: &dyn AsyncInstrument<u64>| {
            if let Some(circuit) = circuit.upgrade() {
                observer.observe(number(Self(circuit).state()), &stage);
            }
        };
        let gauge = meter.u64_observable_gauge(semconv::STAGE_CIRCUIT_STATE);
        gauge.with_description("0 closed, 1 half open, 2 open.").with_callback(observe).build();
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

#[cfg(feature = "observe")]
const fn number(state: CircuitState) -> u64 {
    match state {
        CircuitState::Closed => 0,
        CircuitState::HalfOpen => 1,
        CircuitState::Open => 2,
    }
}

impl Shared {
    fn now(&self) -> u64 {
        nanos(self.origin.elapsed())
    }

    #[inline]
    fn tell(&self, change: Option<Change>) {
        if let Some(((from, to), tell)) = change.zip(self.on_change.as_ref()) {
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
