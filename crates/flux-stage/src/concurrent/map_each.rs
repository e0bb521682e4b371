//! One stage, many inputs.

use std::future::Future;
use std::num::NonZeroUsize;

use flux_core::Stage;

use super::window::{self, OnFailure, Window};
use crate::{Describe, FanOutError, SettleEach, Shape};

/// How many items are in flight unless [`MapEach::with_concurrency`] says otherwise.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// Runs the stage for each item of a `Vec`, and makes a `Vec` of what it makes, in the order of the items.
///
/// 16 items are in flight at a time, unless [`with_concurrency`](Self::with_concurrency) says otherwise; in the one future
/// that is returned, not on other threads. The number of allocations does not depend on the number of items. The first
/// failure drops what still runs, unless [`collect_errors`](Self::collect_errors) or [`settled`](Self::settled) says otherwise.
///
/// ```
/// use flux_core::Stage;
/// use flux_stage::MapEach;
///
/// async fn parse(text: &str) -> Result<u32, std::num::ParseIntError> { text.parse() }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let numbers = MapEach::new(parse);
/// assert_eq!(numbers.process(vec!["1", "2", "3"]).await, Ok(vec![1, 2, 3]));
///
/// let error = numbers.collect_errors().process(vec!["1", "x", "y"]).await.unwrap_err();
/// assert_eq!(error.failures().iter().map(|failure| failure.index).collect::<Vec<_>>(), [1, 2]);
/// # }
/// ```
///
/// # Cancel safety
/// A dropped future drops what runs; nothing is left behind.
#[derive(Debug, Clone, Copy)]
pub struct MapEach<S> {
    stage: S,
    limit: NonZeroUsize,
    on_failure: OnFailure,
}

impl<S> MapEach<S> {
    /// `stage` for each item, failing fast.
    pub const fn new(stage: S) -> Self {
        Self { stage, limit: CONCURRENCY, on_failure: OnFailure::Stop }
    }

    /// At most so many items at the same time; 0 means 1. Default: 16.
    #[must_use]
    pub fn with_concurrency(mut self, limit: usize) -> Self {
        self.limit = NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// Lets all items finish when one has failed, and reports every failure with its index.
    #[must_use]
    pub fn collect_errors(mut self) -> Self {
        self.on_failure = OnFailure::Collect;
        self
    }

    /// Makes a result for each item in place of failing.
    pub fn settled(self) -> SettleEach<S> {
        SettleEach::new(self.stage, self.limit)
    }
}

impl<T, S> Stage<Vec<T>> for MapEach<S>
where
    T: Send,
    S: Stage<T>,
{
    type Out = Vec<S::Out>;
    type Error = FanOutError<S::Error>;

    fn process(&self, input: Vec<T>) -> impl Future<Output = Result<Self::Out, Self::Error>> + Send {
        let futures = input.into_iter().map(|item| self.stage.process(item));
        window::all(Window::new(futures, Some(self.limit)), self.on_failure)
    }
}

impl<S: Describe> Describe for MapEach<S> {
    fn describe(&self) -> Shape {
        Shape::around("each", self.stage.describe())
    }
}
