//! One stage, many inputs, a result for each.

use std::future::Future;
use std::num::NonZeroUsize;

use flux_core::Stage;

use super::window::{self, Window};
use crate::{Describe, FanOutError, Shape};

/// Runs the stage for each item of a `Vec`, and makes a `Vec` of results, in the order of the items. It does not fail.
///
/// Made by [`MapEach::settled`](crate::MapEach::settled), whose error type it keeps so that one can take the other's place.
///
/// ```
/// use flux_core::Stage;
/// use flux_stage::MapEach;
///
/// async fn parse(text: &str) -> Result<u32, std::num::ParseIntError> { text.parse() }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let results = MapEach::new(parse).settled().process(vec!["1", "x"]).await.unwrap();
/// assert_eq!(results[0], Ok(1));
/// assert!(results[1].is_err());
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SettleEach<S> {
    stage: S,
    limit: NonZeroUsize,
}

impl<S> SettleEach<S> {
    pub(super) const fn new(stage: S, limit: NonZeroUsize) -> Self {
        Self { stage, limit }
    }
}

impl<T, S> Stage<Vec<T>> for SettleEach<S>
where
    T: Send,
    S: Stage<T>,
{
    type Out = Vec<Result<S::Out, S::Error>>;
    type Error = FanOutError<S::Error>;

    fn process(&self, input: Vec<T>) -> impl Future<Output = Result<Self::Out, Self::Error>> + Send {
        let futures = input.into_iter().map(|item| self.stage.process(item));
        let window = Window::new(futures, Some(self.limit));
        async move { Ok(window::each(window).await) }
    }
}

impl<S: Describe> Describe for SettleEach<S> {
    fn describe(&self) -> Shape {
        Shape::around("each", self.stage.describe())
    }
}
