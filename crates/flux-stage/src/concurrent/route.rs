//! Choosing a stage by a key of the input.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;

use flux_core::Stage;

use crate::{Describe, Shape};

/// Chooses the stage for each input by a key.
///
/// Inputs whose key no case has go to the stage given last, so a route is never at a loss.
///
/// ```
/// use flux_core::Stage;
/// use flux_stage::{Route, StageExt};
///
/// async fn small(n: u32) -> Result<String, String> { Ok(format!("small {n}")) }
/// async fn large(n: u32) -> Result<String, String> { Ok(format!("large {n}")) }
/// async fn refuse(n: u32) -> Result<String, String> { Err(format!("{n} has too many digits")) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let route = Route::by(|n: &u32| n.to_string().len()).case(1, small.boxed()).case(2, large.boxed()).otherwise(refuse);
/// assert_eq!(route.process(7).await.as_deref(), Ok("small 7"));
/// assert_eq!(route.process(77).await.as_deref(), Ok("large 77"));
/// assert!(route.process(777).await.is_err());
/// # }
/// ```
#[derive(Clone)]
pub struct Route<F, K, S, D> {
    cases: Cases<F, K, S>,
    otherwise: D,
}

/// A [`Route`] without its last stage.
#[derive(Clone)]
#[must_use = "a route is complete with `otherwise`"]
pub struct Cases<F, K, S> {
    key: F,
    stages: HashMap<K, S>,
}

impl Route<(), (), (), ()> {
    /// Begins a route by the key that `key` makes of an input.
    pub fn by<In, F, K, S>(key: F) -> Cases<F, K, S>
    where
        F: Fn(&In) -> K + Send + Sync,
    {
        Cases { key, stages: HashMap::new() }
    }
}

impl<F, K: Hash + Eq, S> Cases<F, K, S> {
    /// Inputs with this key go to `stage`. The last of several with the same key counts.
    pub fn case(mut self, key: K, stage: S) -> Self {
        self.stages.insert(key, stage);
        self
    }

    /// All other inputs go to `stage`.
    pub fn otherwise<D>(self, stage: D) -> Route<F, K, S, D> {
        Route { cases: self, otherwise: stage }
    }
}

impl<In, F, K, S, D> Stage<In> for Route<F, K, S, D>
where
    In: Send,
    K: Hash + Eq + Send + Sync,
    F: Fn(&In) -> K + Send + Sync,
    S: Stage<In>,
    D: Stage<In, Out = S::Out, Error = S::Error>,
{
    type Out = S::Out;
    type Error = S::Error;

    fn process(&self, input: In) -> impl Future<Output = Result<S::Out, S::Error>> + Send {
        let case = self.cases.stages.get(&(self.cases.key)(&input));
        async move {
            match case {
                Some(stage) => stage.process(input).await,
                None => self.otherwise.process(input).await,
            }
        }
    }
}

impl<F, K: fmt::Debug, S, D> fmt::Debug for Route<F, K, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Route").field(&self.cases).finish()
    }
}

impl<F, K: fmt::Debug, S> fmt::Debug for Cases<F, K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.stages.keys()).finish()
    }
}

/// Cases in the order of their keys' texts, because they are kept in none.
impl<F, K: fmt::Debug, S: Describe, D: Describe> Describe for Route<F, K, S, D> {
    fn describe(&self) -> Shape {
        let mut branches: Vec<_> =
            self.cases.stages.iter().map(|(key, stage)| (Some(format!("{key:?}")), stage.describe())).collect();
        branches.sort_by(|left, right| left.0.cmp(&right.0));
        branches.push((Some("otherwise".to_owned()), self.otherwise.describe()));
        Shape::Split("route".to_owned(), branches)
    }
}
