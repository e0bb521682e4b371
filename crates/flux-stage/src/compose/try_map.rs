//! A function that may fail over what a stage makes.

use std::future::Future;

use flux_core::Stage;

use super::mapped::Mapped;
use crate::{Describe, Shape};

/// Passes what the stage makes through a function that can fail.
///
/// The stage's own errors are converted into the function's as `?` converts them.
///
/// ```
/// # use flux_core::Stage;
/// use flux_stage::StageExt;
///
/// # async fn read(n: u32) -> Result<String, String> { Ok(n.to_string()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let stage = read.try_map(|text| text.parse::<u8>().map_err(|error| error.to_string()));
/// assert_eq!(stage.process(255).await, Ok(255));
/// assert!(stage.process(256).await.is_err());
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TryMap<S, F> {
    stage: S,
    map: F,
}

impl<S, F> TryMap<S, F> {
    /// `map` over what `stage` makes.
    pub const fn new(stage: S, map: F) -> Self {
        Self { stage, map }
    }
}

impl<In, Out, E, S, F> Stage<In> for TryMap<S, F>
where
    Out: Send,
    E: Send,
    S: Stage<In, Error: Into<E>>,
    F: Fn(S::Out) -> Result<Out, E> + Send + Sync,
{
    type Out = Out;
    type Error = E;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<Out, E>> + Send {
        Mapped::new(self.stage.process(input), |result: Result<S::Out, S::Error>| match result {
            Ok(output) => (self.map)(output),
            Err(error) => Err(error.into()),
        })
    }
}

impl<S: Describe, F> Describe for TryMap<S, F> {
    fn describe(&self) -> Shape {
        self.stage.describe()
    }
}
