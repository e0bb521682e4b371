//! The result of the last call with the same key.

use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flux_core::Stage;
use tokio::time::Instant;

use super::recent::{Bounds, Recent};
use crate::{Describe, Shape};

/// Answers with what the stage made of an input with the same key before.
///
/// Errors are not kept. Two calls with a new key at the same time both run.
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::Stage;
/// use flux_stage::Cache;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// async fn airline(code: String) -> Result<String, std::io::Error> {
///     Ok(format!("the airline {code}"))
/// }
/// let stage = Cache::new(airline, String::clone, 1_000).with_time(Duration::from_secs(60));
/// assert_eq!(stage.process("UA".to_owned()).await.unwrap(), "the airline UA");
/// # }
/// ```
pub struct Cache<S, K, V, F> {
    stage: S,
    key: F,
    bounds: Bounds,
    recent: Mutex<Recent<K, V>>,
}

impl<S, K, V, F> Cache<S, K, V, F> {
    /// Keeps the last `count` results of `stage` by the key that `key` makes of the input; zero keeps none.
    pub fn new<In>(stage: S, key: F, count: usize) -> Self
    where
        S: Stage<In, Out = V>,
        F: Fn(&In) -> K,
    {
        Self { stage, key, bounds: Bounds { count, time: None }, recent: Mutex::default() }
    }

    /// A result is kept for so long. By default only the count pushes it out.
    #[must_use]
    pub fn with_time(mut self, time: Duration) -> Self {
        self.bounds.time = Some(time);
        self
    }
}

impl<In, S, K, V, F> Stage<In> for Cache<S, K, V, F>
where
    In: Send,
    S: Stage<In, Out = V>,
    K: Clone + Eq + Hash + Send,
    V: Clone + Send,
    F: Fn(&In) -> K + Send + Sync,
{
    type Out = V;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<V, S::Error> {
        let key = (self.key)(&input);
        let found = {
            let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.find(&key, Instant::now(), self.bounds).cloned()
        };
        if let Some(found) = found {
            return Ok(found);
        }
        let out = self.stage.process(input).await?;
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.insert(key, out.clone(), Instant::now(), self.bounds);
        Ok(out)
    }
}

impl<S: Describe, K, V, F> Describe for Cache<S, K, V, F> {
    fn describe(&self) -> Shape {
        Shape::around("cache", self.stage.describe())
    }
}

impl<S: fmt::Debug, K, V, F> fmt::Debug for Cache<S, K, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("stage", &self.stage).field("bounds", &self.bounds).finish_non_exhaustive()
    }
}
