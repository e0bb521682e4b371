//! Many values into one.

use std::future::{Future, ready};

use flux_core::Stage;

use crate::{Describe, Shape};

/// Makes one value of many with a function that may fail.
///
/// ```
/// use flux_core::Stage;
/// use flux_stage::FanIn;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let sum = FanIn::new(|parts: Vec<u32>| Ok::<_, String>(parts.into_iter().sum::<u32>()));
/// assert_eq!(sum.process(vec![1, 2, 3]).await, Ok(6));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FanIn<F> {
    aggregate: F,
}

impl<F> FanIn<F> {
    /// Aggregates with this function.
    pub const fn new(aggregate: F) -> Self {
        Self { aggregate }
    }
}

impl<T, Out, E, F> Stage<Vec<T>> for FanIn<F>
where
    Out: Send,
    E: Send,
    F: Fn(Vec<T>) -> Result<Out, E> + Send + Sync,
{
    type Out = Out;
    type Error = E;

    fn process(&self, input: Vec<T>) -> impl Future<Output = Result<Out, E>> + Send {
        ready((self.aggregate)(input))
    }
}

impl<F> Describe for FanIn<F> {
    fn describe(&self) -> Shape {
        Shape::leaf("fan in")
    }
}
