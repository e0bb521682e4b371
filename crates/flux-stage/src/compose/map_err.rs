//! A function over how a stage fails.

use std::future::Future;

use flux_core::Stage;

use super::mapped::Mapped;
use crate::{Describe, Shape};

/// Passes the stage's error through a function.
///
/// ```
/// # use flux_core::{Failure, Stage};
/// use flux_stage::StageExt;
///
/// # async fn book(n: u32) -> Result<u32, String> { Err(format!("no {n}")) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let handler = book.map_err(Failure::permanent);
/// assert_eq!(handler.process(4).await.unwrap_err().to_string(), "no 4");
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MapErr<S, F> {
    stage: S,
    map: F,
}

impl<S, F> MapErr<S, F> {
    /// `map` over the errors of `stage`.
    pub const fn new(stage: S, map: F) -> Self {
        Self { stage, map }
    }
}

impl<In, E, S, F> Stage<In> for MapErr<S, F>
where
    E: Send,
    S: Stage<In>,
    F: Fn(S::Error) -> E + Send + Sync,
{
    type Out = S::Out;
    type Error = E;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<S::Out, E>> + Send {
        Mapped::new(self.stage.process(input), |result: Result<S::Out, S::Error>| result.map_err(&self.map))
    }
}

impl<S: Describe, F> Describe for MapErr<S, F> {
    fn describe(&self) -> Shape {
        self.stage.describe()
    }
}
