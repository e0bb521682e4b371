//! A function over what a stage makes.

use std::future::Future;

use flux_core::Stage;

use super::mapped::Mapped;
use crate::{Describe, Shape};

/// Passes what the stage makes through a function that cannot fail.
///
/// ```
/// # use flux_core::Stage;
/// use flux_stage::StageExt;
///
/// # async fn double(n: u32) -> Result<u32, String> { Ok(n * 2) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(double.map(|n| n.to_string()).process(4).await.as_deref(), Ok("8"));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Map<S, F> {
    stage: S,
    map: F,
}

impl<S, F> Map<S, F> {
    /// `map` over what `stage` makes.
    pub const fn new(stage: S, map: F) -> Self {
        Self { stage, map }
    }
}

impl<In, Out, S, F> Stage<In> for Map<S, F>
where
    Out: Send,
    S: Stage<In>,
    F: Fn(S::Out) -> Out + Send + Sync,
{
    type Out = Out;
    type Error = S::Error;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<Out, S::Error>> + Send {
        Mapped::new(self.stage.process(input), |result: Result<S::Out, S::Error>| result.map(&self.map))
    }
}

impl<S: Describe, F> Describe for Map<S, F> {
    fn describe(&self) -> Shape {
        self.stage.describe()
    }
}
