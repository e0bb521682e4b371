//! One input, many stages, one output.

use flux_core::Stage;

use crate::{Describe, FanIn, FanOut, FanOutError, Shape};

/// A [`FanOut`] whose outputs a function aggregates, as [`FanIn`] does.
///
/// The function's error type must convert from [`FanOutError`], as boxed errors and
/// [`Failure`](flux_core::Failure) do.
///
/// ```
/// use flux_core::{Failure, Stage};
/// use flux_stage::{FanOut, Parallel, StageExt};
///
/// # #[derive(Debug)] struct Down;
/// # impl std::fmt::Display for Down { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("down") } }
/// # impl std::error::Error for Down {}
/// async fn here(item: u32) -> Result<u32, Down> { Ok(item + 1) }
/// async fn there(item: u32) -> Result<u32, Down> { Ok(item + 2) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Failure> {
/// let cheapest = Parallel::new(FanOut::new([here.boxed(), there.boxed()]), |prices: Vec<u32>| {
///     prices.into_iter().min().ok_or_else(|| Failure::permanent("nobody sells it"))
/// });
/// assert_eq!(cheapest.process(1).await?, 2);
/// # Ok(()) }
/// ```
///
/// # Cancel safety
/// As [`FanOut`].
#[derive(Debug, Clone)]
pub struct Parallel<S, F> {
    fan_out: FanOut<S>,
    fan_in: FanIn<F>,
}

impl<S, F> Parallel<S, F> {
    /// `fan_out`, then `aggregate`.
    pub const fn new(fan_out: FanOut<S>, aggregate: F) -> Self {
        Self { fan_out, fan_in: FanIn::new(aggregate) }
    }
}

impl<In, Out, E, S, F> Stage<In> for Parallel<S, F>
where
    In: Clone + Send,
    Out: Send,
    E: From<FanOutError<S::Error>> + Send,
    S: Stage<In>,
    F: Fn(Vec<S::Out>) -> Result<Out, E> + Send + Sync,
{
    type Out = Out;
    type Error = E;

    async fn process(&self, input: In) -> Result<Out, E> {
        self.fan_in.process(self.fan_out.process(input).await?).await
    }
}

impl<S: Describe, F> Describe for Parallel<S, F> {
    fn describe(&self) -> Shape {
        self.fan_out.describe().then(self.fan_in.describe())
    }
}
