//! One input, many stages.

use std::future::Future;
use std::num::NonZeroUsize;

use flux_core::Stage;

use super::window::{self, OnFailure, Window};
use crate::{Describe, FanOutError, Shape};

/// Gives a clone of the input to every stage, and makes a `Vec` of what they make, in the order of the stages.
///
/// All run at the same time in the future that is returned; [`with_concurrency`](Self::with_concurrency) limits how many. The
/// first failure drops those that still run, unless [`collect_errors`](Self::collect_errors) says otherwise. Stages of
/// different types fit in one list once they are [`boxed`](crate::StageExt::boxed). With no stages it makes an empty `Vec`.
///
/// ```
/// use flux_core::Stage;
/// use flux_stage::{FanOut, StageExt};
///
/// async fn double(n: u32) -> Result<u32, String> { Ok(n * 2) }
/// async fn square(n: u32) -> Result<u32, String> { Ok(n * n) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let both = FanOut::new([double.boxed(), square.boxed()]);
/// assert_eq!(both.process(5).await, Ok(vec![10, 25]));
/// # }
/// ```
///
/// # Cancel safety
/// A dropped future drops what runs; nothing is left behind.
#[derive(Debug, Clone)]
pub struct FanOut<S> {
    stages: Vec<S>,
    limit: Option<NonZeroUsize>,
    on_failure: OnFailure,
}

impl<S> FanOut<S> {
    /// These stages, all at the same time, failing fast.
    pub fn new(stages: impl IntoIterator<Item = S>) -> Self {
        Self { stages: stages.into_iter().collect(), limit: None, on_failure: OnFailure::Stop }
    }

    /// At most so many at the same time; 0 means 1. Default: all of them.
    #[must_use]
    pub fn with_concurrency(mut self, limit: usize) -> Self {
        self.limit = Some(NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN));
        self
    }

    /// Lets all stages finish when one has failed, and reports every failure.
    #[must_use]
    pub fn collect_errors(mut self) -> Self {
        self.on_failure = OnFailure::Collect;
        self
    }

    /// The stages.
    #[must_use]
    pub fn stages(&self) -> &[S] {
        &self.stages
    }
}

impl<In: Clone + Send, S: Stage<In>> Stage<In> for FanOut<S> {
    type Out = Vec<S::Out>;
    type Error = FanOutError<S::Error>;

    fn process(&self, input: In) -> impl Future<Output = Result<Self::Out, Self::Error>> + Send {
        let inputs = std::iter::repeat_n(input, self.stages.len());
        let futures = self.stages.iter().zip(inputs).map(|(stage, input)| stage.process(input));
        window::all(Window::new(futures, self.limit), self.on_failure)
    }
}

impl<S: Describe> Describe for FanOut<S> {
    fn describe(&self) -> Shape {
        Shape::split("fan out", self.stages.iter().map(Describe::describe))
    }
}
