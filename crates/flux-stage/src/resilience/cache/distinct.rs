//! Each key once.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flux_core::Stage;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::recent::{Bounds, Recent};
use crate::{Describe, Shape};

/// Runs the stage once for each key: `Some(output)`, then `None` for duplicates.
///
/// A key counts once the stage has succeeded, so the redelivery after a failure runs again. While a key runs, a second input
/// with it waits: it is a duplicate if the first succeeds, and runs if it fails. An input without a key always runs.
///
/// ```
/// use flux_core::Stage;
/// use flux_stage::Distinct;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// async fn book(order: u64) -> Result<(), std::io::Error> {
///     Ok(())
/// }
/// let stage = Distinct::new(book, |order: &u64| Some(*order));
/// assert_eq!(stage.process(7).await.unwrap(), Some(()));
/// assert_eq!(stage.process(7).await.unwrap(), None);
/// # }
/// ```
///
/// # Cancel safety
/// A call that is dropped did not succeed: the next one with its key runs.
pub struct Distinct<S, K, F> {
    stage: S,
    key: F,
    bounds: Bounds,
    state: Mutex<State<K>>,
    settled: Notify,
}

struct State<K> {
    done: Recent<K, ()>,
    running: HashSet<K>,
}

/// What a key is.
enum Found {
    Done,
    New,
    Running,
}

impl<S, K, F> Distinct<S, K, F> {
    /// Tells inputs of `stage` apart by what `key` makes of them, and remembers the last 10,000.
    pub fn new<In>(stage: S, key: F) -> Self
    where
        S: Stage<In>,
        F: Fn(&In) -> Option<K>,
    {
        let state = State { done: Recent::default(), running: HashSet::new() };
        let bounds = Bounds { count: 10_000, time: None };
        Self { stage, key, bounds, state: Mutex::new(state), settled: Notify::new() }
    }

    /// How many keys are remembered. The default is 10,000.
    #[must_use]
    pub fn with_count(mut self, keys: usize) -> Self {
        self.bounds.count = keys;
        self
    }

    /// A key is remembered for so long. By default only the count pushes it out.
    #[must_use]
    pub fn with_time(mut self, time: Duration) -> Self {
        self.bounds.time = Some(time);
        self
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S, K: Clone + Eq + Hash, F> Distinct<S, K, F> {
    fn begin(&self, key: &K) -> Found {
        let mut state = self.state();
        if state.done.find(key, Instant::now(), self.bounds).is_some() {
            return Found::Done;
        }
        if state.running.insert(key.clone()) { Found::New } else { Found::Running }
    }
}

impl<In, S, K, F> Stage<In> for Distinct<S, K, F>
where
    In: Send,
    S: Stage<In>,
    K: Clone + Eq + Hash + Send + Sync,
    F: Fn(&In) -> Option<K> + Send + Sync,
{
    type Out = Option<S::Out>;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<Option<S::Out>, S::Error> {
        let Some(key) = (self.key)(&input) else { return self.stage.process(input).await.map(Some) };
        loop {
            let settled = self.settled.notified();
            match self.begin(&key) {
                Found::Done => return Ok(None),
                Found::New => break,
                Found::Running => settled.await,
            }
        }
        let running = Running { distinct: self, key };
        let out = self.stage.process(input).await?;
        let key = running.key.clone();
        self.state().done.insert(key, (), Instant::now(), self.bounds);
        Ok(Some(out))
    }
}

impl<S: Describe, K, F> Describe for Distinct<S, K, F> {
    fn describe(&self) -> Shape {
        Shape::around("distinct", self.stage.describe())
    }
}

/// A key that runs, until it is done or dropped.
struct Running<'d, S, K: Eq + Hash, F> {
    distinct: &'d Distinct<S, K, F>,
    key: K,
}

impl<S, K: Eq + Hash, F> Drop for Running<'_, S, K, F> {
    fn drop(&mut self) {
        self.distinct.state().running.remove(&self.key);
        self.distinct.settled.notify_waiters();
    }
}

impl<S: fmt::Debug, K, F> fmt::Debug for Distinct<S, K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distinct").field("stage", &self.stage).field("bounds", &self.bounds).finish_non_exhaustive()
    }
}
