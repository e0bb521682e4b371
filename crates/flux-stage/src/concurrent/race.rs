//! One input, many stages, the first to succeed.

use std::future::Future;

use flux_core::Stage;

use super::window::Window;
use crate::{Describe, FanOutError, IndexedError, NoStages, Shape};

/// Gives a clone of the input to every stage, and makes what the first to succeed makes. The others are dropped.
///
/// It fails when all have failed, with every failure.
///
/// ```
/// use flux_core::Stage;
/// use flux_stage::{Race, StageExt};
///
/// async fn mirror(name: &'static str) -> Result<&'static str, String> { Err(format!("{name}: down")) }
/// async fn origin(name: &'static str) -> Result<&'static str, String> { Ok(name) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let fastest = Race::new([mirror.boxed(), origin.boxed()]).unwrap();
/// assert_eq!(fastest.process("file").await, Ok("file"));
/// # }
/// ```
///
/// # Cancel safety
/// A dropped future drops what runs; nothing is left behind.
#[derive(Debug, Clone)]
pub struct Race<S> {
    stages: Vec<S>,
}

impl<S> Race<S> {
    /// A race between these.
    ///
    /// # Errors
    /// When there are none: nobody could win.
    pub fn new(stages: impl IntoIterator<Item = S>) -> Result<Self, NoStages> {
        NoStages::unless_some(stages).map(|stages| Self { stages })
    }
}

impl<In: Clone + Send, S: Stage<In>> Stage<In> for Race<S> {
    type Out = S::Out;
    type Error = FanOutError<S::Error>;

    fn process(&self, input: In) -> impl Future<Output = Result<S::Out, Self::Error>> + Send {
        let inputs = std::iter::repeat_n(input, self.stages.len());
        let futures = self.stages.iter().zip(inputs).map(|(stage, input)| stage.process(input));
        let mut window = Window::new(futures, None);
        async move {
            let mut failures = Vec::new();
            while let Some((index, result)) = window.next().await {
                match result {
                    Ok(output) => return Ok(output),
                    Err(error) => failures.push(IndexedError { index, error }),
                }
            }
            Err(FanOutError::new(failures, window.of()))
        }
    }
}

impl<S: Describe> Describe for Race<S> {
    fn describe(&self) -> Shape {
        Shape::split("race", self.stages.iter().map(Describe::describe))
    }
}
