//! Doubles: a stage that follows a script and counts what runs.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flux_core::Stage;
use flux_stage::{CircuitOpen, Overloaded, RateLimited, TimedOut};
use tokio::time;

/// How a double fails, and what protecting stages answer in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    Boom(u32),
    Open(CircuitOpen),
    Late(TimedOut),
    Limited(RateLimited),
    Overloaded(Overloaded),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Error for Fault {}

impl From<CircuitOpen> for Fault {
    fn from(refusal: CircuitOpen) -> Self {
        Self::Open(refusal)
    }
}

impl From<Overloaded> for Fault {
    fn from(refusal: Overloaded) -> Self {
        Self::Overloaded(refusal)
    }
}

impl From<RateLimited> for Fault {
    fn from(refusal: RateLimited) -> Self {
        Self::Limited(refusal)
    }
}

impl From<TimedOut> for Fault {
    fn from(refusal: TimedOut) -> Self {
        Self::Late(refusal)
    }
}

/// What one call of a [`Double`] does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// Answers with the input.
    Echo,
    /// Fails with `Boom(n)`.
    Fail(u32),
    /// Never finishes.
    Hang,
    /// Answers with the input after so many milliseconds.
    After(u64),
    /// Fails after so many milliseconds.
    FailAfter(u64),
    /// Panics.
    Panic,
}

/// Follows its script, then echoes. Clones share everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Double(Arc<State>);

#[derive(Debug, Default)]
struct State {
    script: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<u32>>,
    running: AtomicUsize,
    peak: AtomicUsize,
}

/// Counts one call as running for as long as it lives.
struct Running<'d>(&'d State);

impl<'d> Running<'d> {
    fn new(state: &'d State) -> Self {
        let now = state.running.fetch_add(1, Ordering::SeqCst) + 1;
        state.peak.fetch_max(now, Ordering::SeqCst);
        Self(state)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Double {
    pub(crate) fn new(script: impl IntoIterator<Item = Act>) -> Self {
        let double = Self::default();
        double.then(script);
        double
    }

    /// Adds to the script.
    pub(crate) fn then(&self, script: impl IntoIterator<Item = Act>) {
        self.0.script.lock().unwrap().extend(script);
    }

    /// How often it was called.
    pub(crate) fn calls(&self) -> usize {
        self.0.seen.lock().unwrap().len()
    }

    /// What it was called with.
    pub(crate) fn seen(&self) -> Vec<u32> {
        self.0.seen.lock().unwrap().clone()
    }

    /// How many calls run right now.
    pub(crate) fn running(&self) -> usize {
        self.0.running.load(Ordering::SeqCst)
    }

    /// How many ran at the same time at most.
    pub(crate) fn peak(&self) -> usize {
        self.0.peak.load(Ordering::SeqCst)
    }
}

impl Stage<u32> for Double {
    type Out = u32;
    type Error = Fault;

    async fn process(&self, input: u32) -> Result<u32, Fault> {
        let _running = Running::new(&self.0);
        self.0.seen.lock().unwrap().push(input);
        let act = self.0.script.lock().unwrap().pop_front().unwrap_or(Act::Echo);
        match act {
            Act::Echo => Ok(input),
            Act::Fail(n) => Err(Fault::Boom(n)),
            Act::Hang => std::future::pending().await,
            Act::After(millis) => {
                time::sleep(Duration::from_millis(millis)).await;
                Ok(input)
            }
            Act::FailAfter(millis) => {
                time::sleep(Duration::from_millis(millis)).await;
                Err(Fault::Boom(0))
            }
            Act::Panic => panic!("as the script says"),
        }
    }
}

/// So many milliseconds.
pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Polls `future` once.
pub(crate) fn poll_once<F: Future + ?Sized>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}
