//! Stops calling a stage that keeps failing.

mod circuit;
mod config;
mod state;
mod tally;

/// What the state machine is built on. The model checker builds it on its own atomics.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

use std::fmt;

use flux_core::Stage;

use self::circuit::Admitted;
pub use self::circuit::Circuit;
pub use self::config::CircuitConfig;
pub use self::state::CircuitState;
use crate::{Always, CircuitOpen, Describe, Judge, Shape};

/// Answers [`CircuitOpen`] in place of a stage that keeps failing, and lets a probe through from time to time.
///
/// The [`Circuit`] is closed at first and lets every call through. When enough of them fail it opens and refuses calls. After
/// the reset time it is half open and lets a few probes through: enough successes close it, one failure opens it again.
/// The stage's error must convert from [`CircuitOpen`]; [`GuardError`](crate::GuardError) is for those that do not.
///
/// Callers do not wait for each other: a call through a closed circuit loads one word before it and one after it, and
/// allocates nothing.
///
/// ```
/// use flux_core::{Error, ErrorKind, Stage};
/// use flux_stage::{CircuitBreaker, CircuitConfig, CircuitState};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// async fn down(_: u32) -> Result<u32, Error> {
///     Err(Error::new(ErrorKind::Unavailable, "connection refused"))
/// }
/// let stage = CircuitBreaker::new(down, CircuitConfig::new().with_failures(2));
/// for _ in 0..2 {
///     stage.process(1).await.unwrap_err();
/// }
/// assert_eq!(stage.circuit().state(), CircuitState::Open);
/// let refused = stage.process(1).await.unwrap_err(); // without a call
/// assert!(refused.retry_after().is_some());
/// # }
/// ```
///
/// # Cancel safety
/// A call that is dropped says nothing about the stage. A dropped probe gives its place to the next one.
#[derive(Clone)]
pub struct CircuitBreaker<S, W = Always> {
    stage: S,
    circuit: Circuit,
    counts: W,
}

impl<S> CircuitBreaker<S> {
    /// Puts a circuit in front of `stage`: one of its own by a [`CircuitConfig`], or a [`Circuit`] that it shares with
    /// others, say all that call the same peer.
    pub fn new(stage: S, circuit: impl Into<Circuit>) -> Self {
        Self { stage, circuit: circuit.into(), counts: Always }
    }

    /// Counts only errors of which `counts` says so; the others are answers of a stage that works, and count as successes.
    /// The default is all of them.
    pub fn when<E, W: Fn(&E) -> bool>(self, counts: W) -> CircuitBreaker<S, W> {
        CircuitBreaker { stage: self.stage, circuit: self.circuit, counts }
    }
}

impl<S, W> CircuitBreaker<S, W> {
    /// The circuit: its state, and what other stages can share.
    pub const fn circuit(&self) -> &Circuit {
        &self.circuit
    }
}

impl<In, S, W> Stage<In> for CircuitBreaker<S, W>
where
    In: Send,
    S: Stage<In, Error: From<CircuitOpen>>,
    W: Judge<S::Error>,
{
    type Out = S::Out;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<S::Out, S::Error> {
        let admitted: Admitted<'_> = self.circuit.enter()?;
        let done = self.stage.process(input).await;
        match &done {
            Err(error) if self.counts.counts(error) => admitted.fail(),
            _ => admitted.succeed(),
        }
        done
    }
}

impl<S: Describe, W> Describe for CircuitBreaker<S, W> {
    fn describe(&self) -> Shape {
        Shape::around("circuit breaker", self.stage.describe())
    }
}

impl<S: fmt::Debug, W> fmt::Debug for CircuitBreaker<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("stage", &self.stage)
            .field("circuit", &self.circuit)
            .finish_non_exhaustive()
    }
}
