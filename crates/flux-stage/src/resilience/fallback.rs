//! Another stage for when the first one fails.

use std::fmt;

use flux_core::Stage;

use crate::{Always, Describe, Judge, Shape};

/// Hands the input to a second stage when the first one fails. [`or_else`](crate::StageExt::or_else) is for a value.
///
/// The input is cloned for the first stage, so make it cheap to clone. The error is the second stage's.
///
/// ```
/// use flux_core::Stage;
/// use flux_stage::Fallback;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// async fn live(_: u32) -> Result<&'static str, String> {
///     Err("no connection".to_owned())
/// }
/// async fn stored(_: u32) -> Result<&'static str, String> {
///     Ok("as of yesterday")
/// }
/// assert_eq!(Fallback::new(live, stored).process(1).await, Ok("as of yesterday"));
/// # }
/// ```
///
/// # Cancel safety
/// The stage in progress is dropped.
#[derive(Clone)]
pub struct Fallback<S, B, W = Always> {
    stage: S,
    other: B,
    when: W,
}

impl<S, B> Fallback<S, B> {
    /// `other` for what `stage` fails at.
    pub const fn new(stage: S, other: B) -> Self {
        Self { stage, other, when: Always }
    }

    /// Falls back only after errors of which `when` says so; others are passed on. The default is all of them.
    pub fn when<E, W: Fn(&E) -> bool>(self, when: W) -> Fallback<S, B, W> {
        Fallback { stage: self.stage, other: self.other, when }
    }
}

impl<In, S, B, W> Stage<In> for Fallback<S, B, W>
where
    In: Clone + Send,
    S: Stage<In, Error: Into<B::Error>>,
    B: Stage<In, Out = S::Out>,
    W: Judge<S::Error>,
{
    type Out = S::Out;
    type Error = B::Error;

    async fn process(&self, input: In) -> Result<S::Out, B::Error> {
        match self.stage.process(input.clone()).await {
            Ok(out) => Ok(out),
            Err(error) if self.when.counts(&error) => self.other.process(input).await,
            Err(error) => Err(error.into()),
        }
    }
}

impl<S: Describe, B: Describe, W> Describe for Fallback<S, B, W> {
    fn describe(&self) -> Shape {
        let branches = [("first", self.stage.describe()), ("on failure", self.other.describe())];
        let branches = branches.map(|(label, branch)| (Some(label.to_owned()), branch));
        Shape::Split("fallback".to_owned(), branches.into())
    }
}

impl<S: fmt::Debug, B: fmt::Debug, W> fmt::Debug for Fallback<S, B, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").field("stage", &self.stage).field("other", &self.other).finish_non_exhaustive()
    }
}
