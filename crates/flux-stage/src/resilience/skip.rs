//! Leaves out the first inputs.

use std::sync::atomic::{AtomicU64, Ordering};

use flux_core::Stage;

use crate::{Describe, Shape};

/// Does not run the stage for the first so many inputs: `None`, then `Some(output)`.
///
/// ```
/// # use flux_core::Stage;
/// use flux_stage::Skip;
///
/// # async fn row(line: &str) -> Result<usize, String> { Ok(line.len()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let rows = Skip::new(row, 1);
/// assert_eq!(rows.process("the header").await, Ok(None));
/// assert_eq!(rows.process("a row").await, Ok(Some(5)));
/// # }
/// ```
#[derive(Debug)]
pub struct Skip<S> {
    stage: S,
    left: AtomicU64,
}

impl<S> Skip<S> {
    /// Leaves out `inputs`, then runs `stage`.
    pub const fn new(stage: S, inputs: u64) -> Self {
        Self { stage, left: AtomicU64::new(inputs) }
    }
}

/// Takes one of what is left, if there is one.
pub(super) fn take_one(left: &AtomicU64) -> bool {
    left.load(Ordering::Relaxed) > 0
        && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

impl<In: Send, S: Stage<In>> Stage<In> for Skip<S> {
    type Out = Option<S::Out>;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<Option<S::Out>, S::Error> {
        if take_one(&self.left) { Ok(None) } else { self.stage.process(input).await.map(Some) }
    }
}

impl<S: Describe> Describe for Skip<S> {
    fn describe(&self) -> Shape {
        Shape::around("skip", self.stage.describe())
    }
}
