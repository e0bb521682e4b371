//! Leaves out all but the first inputs.

use std::sync::atomic::AtomicU64;

use flux_core::Stage;

use super::skip::take_one;
use crate::{Describe, Shape};

/// Runs the stage for the first so many inputs, whether it fails or not: `Some(output)`, then `None`.
///
/// ```
/// # use flux_core::Stage;
/// use flux_stage::Take;
///
/// # async fn row(line: &str) -> Result<usize, String> { Ok(line.len()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let sample = Take::new(row, 1);
/// assert_eq!(sample.process("a row").await, Ok(Some(5)));
/// assert_eq!(sample.process("another").await, Ok(None));
/// # }
/// ```
#[derive(Debug)]
pub struct Take<S> {
    stage: S,
    left: AtomicU64,
}

impl<S> Take<S> {
    /// Runs `stage` for so many `inputs`.
    pub const fn new(stage: S, inputs: u64) -> Self {
        Self { stage, left: AtomicU64::new(inputs) }
    }
}

impl<In: Send, S: Stage<In>> Stage<In> for Take<S> {
    type Out = Option<S::Out>;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<Option<S::Out>, S::Error> {
        if take_one(&self.left) { self.stage.process(input).await.map(Some) } else { Ok(None) }
    }
}

impl<S: Describe> Describe for Take<S> {
    fn describe(&self) -> Shape {
        Shape::around("take", self.stage.describe())
    }
}
