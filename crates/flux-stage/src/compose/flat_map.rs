//! Any number of items for each item a stage makes.

use std::future::Future;

use flux_core::Stage;

use super::mapped::Mapped;
use crate::{Describe, Shape};

/// Replaces each item of the collection that the stage makes by any number of items, in order.
///
/// ```
/// # use flux_core::Stage;
/// use flux_stage::StageExt;
///
/// # async fn lines(text: String) -> Result<Vec<String>, String> { Ok(text.lines().map(str::to_owned).collect()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let numbers = lines.flat_map(|line| line.split(',').filter_map(|n| n.parse().ok()).collect::<Vec<u32>>());
/// assert_eq!(numbers.process("1,2\n\n3".to_owned()).await, Ok(vec![1, 2, 3]));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FlatMap<S, F> {
    stage: S,
    map: F,
}

impl<S, F> FlatMap<S, F> {
    /// `map` over each item that `stage` makes.
    pub const fn new(stage: S, map: F) -> Self {
        Self { stage, map }
    }
}

impl<In, Items, S, F> Stage<In> for FlatMap<S, F>
where
    Items: IntoIterator<Item: Send>,
    S: Stage<In, Out: IntoIterator>,
    F: Fn(<S::Out as IntoIterator>::Item) -> Items + Send + Sync,
{
    type Out = Vec<Items::Item>;
    type Error = S::Error;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<Self::Out, S::Error>> + Send {
        Mapped::new(self.stage.process(input), |result: Result<S::Out, S::Error>| {
            result.map(|items| items.into_iter().flat_map(&self.map).collect())
        })
    }
}

impl<S: Describe, F> Describe for FlatMap<S, F> {
    fn describe(&self) -> Shape {
        self.stage.describe()
    }
}
