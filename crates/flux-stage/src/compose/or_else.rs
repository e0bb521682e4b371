//! What happens when a stage fails.

use std::future::Future;

use flux_core::Stage;

use super::mapped::Mapped;
use crate::{Describe, Shape};

/// Decides what becomes of an error: `Ok(value)` swallows it, `Err(error)` passes it on or replaces it.
///
/// ```
/// # use flux_core::Stage;
/// use flux_stage::StageExt;
///
/// # async fn book(n: u32) -> Result<u32, String> { if n < 10 { Ok(n) } else { Err("too many".into()) } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let stage = book.or_else(|error| if error == "too many" { Ok(10) } else { Err(error) });
/// assert_eq!(stage.process(40).await, Ok(10));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct OrElse<S, F> {
    stage: S,
    handle: F,
}

impl<S, F> OrElse<S, F> {
    /// `handle` for the errors of `stage`.
    pub const fn new(stage: S, handle: F) -> Self {
        Self { stage, handle }
    }
}

impl<In, E, S, F> Stage<In> for OrElse<S, F>
where
    E: Send,
    S: Stage<In>,
    F: Fn(S::Error) -> Result<S::Out, E> + Send + Sync,
{
    type Out = S::Out;
    type Error = E;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<S::Out, E>> + Send {
        Mapped::new(self.stage.process(input), |result: Result<S::Out, S::Error>| result.or_else(&self.handle))
    }
}

impl<S: Describe, F> Describe for OrElse<S, F> {
    fn describe(&self) -> Shape {
        self.stage.describe()
    }
}
