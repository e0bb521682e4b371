//! Running a stage for some inputs only.

use std::future::Future;

use flux_core::Stage;

use super::and_then::{AndThen, Step};
use super::mapped::Mapped;
use crate::{Describe, Shape};

/// Runs the stage if the input passes a test, else makes `None` and does not run it.
///
/// A handler that is not run has handled the message: the delivery is acknowledged.
///
/// ```
/// # use flux_core::Stage;
/// use flux_stage::StageExt;
///
/// # async fn total(n: u32) -> Result<u32, String> { Ok(n * 2) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let some = total.only_if(|n| *n >= 50);
/// assert_eq!(some.process(50).await, Ok(Some(100)));
/// assert_eq!(some.process(49).await, Ok(None));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct OnlyIf<S, F> {
    stage: S,
    test: F,
}

impl<S, F> OnlyIf<S, F> {
    /// Runs `stage` for inputs that pass `test`.
    pub const fn new(stage: S, test: F) -> Self {
        Self { stage, test }
    }
}

impl<In, S, F> Stage<In> for OnlyIf<S, F>
where
    In: Send,
    S: Stage<In>,
    F: Fn(&In) -> bool + Send + Sync,
{
    type Out = Option<S::Out>;
    type Error = S::Error;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<Option<S::Out>, S::Error>> + Send {
        AndThen::new(std::future::ready(input), |input| {
            if (self.test)(&input) {
                Step::Continue(Mapped::new(self.stage.process(input), |result: Result<S::Out, S::Error>| {
                    result.map(Some)
                }))
            } else {
                Step::Finish(Ok(None))
            }
        })
    }
}

impl<S: Describe, F> Describe for OnlyIf<S, F> {
    fn describe(&self) -> Shape {
        Shape::around("only if", self.stage.describe())
    }
}
