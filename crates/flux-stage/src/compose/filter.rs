//! Keeping some of what a stage makes.

use std::future::Future;

use flux_core::Stage;

use super::mapped::Mapped;
use crate::{Describe, Shape};

/// Keeps what the stage makes if it passes a test: `Some(output)`, else `None`.
///
/// [`OnlyIf`](crate::OnlyIf) tests what goes in, before the stage runs.
///
/// ```
/// # use flux_core::Stage;
/// use flux_stage::StageExt;
///
/// # async fn total(n: u32) -> Result<u32, String> { Ok(n * 2) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let large = total.filter(|total| *total >= 100);
/// assert_eq!(large.process(50).await, Ok(Some(100)));
/// assert_eq!(large.process(49).await, Ok(None));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Filter<S, F> {
    stage: S,
    keep: F,
}

impl<S, F> Filter<S, F> {
    /// Keeps what `stage` makes if `keep` says so.
    pub const fn new(stage: S, keep: F) -> Self {
        Self { stage, keep }
    }
}

impl<In, S, F> Stage<In> for Filter<S, F>
where
    S: Stage<In>,
    F: Fn(&S::Out) -> bool + Send + Sync,
{
    type Out = Option<S::Out>;
    type Error = S::Error;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<Option<S::Out>, S::Error>> + Send {
        Mapped::new(self.stage.process(input), |result: Result<S::Out, S::Error>| {
            result.map(|output| Some(output).filter(&self.keep))
        })
    }
}

impl<S: Describe, F> Describe for Filter<S, F> {
    fn describe(&self) -> Shape {
        self.stage.describe().then(Shape::leaf("filter"))
    }
}
