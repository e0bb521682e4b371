//! Looking at what goes in, what comes out, and how it fails.

use std::future::Future;

use flux_core::Stage;

use super::and_then::{AndThen, Step};
use super::mapped::Mapped;
use crate::{Describe, Shape};

/// Calls a function with what the stage makes.
///
/// ```
/// # use flux_core::Stage;
/// use flux_stage::StageExt;
///
/// # async fn double(n: u32) -> Result<u32, String> { Ok(n * 2) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let stage = double.peek(|n| println!("in: {n}")).inspect(|n| println!("out: {n}")).inspect_err(|e| println!("{e}"));
/// assert_eq!(stage.process(2).await, Ok(4));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Inspect<S, F> {
    stage: S,
    look: F,
}

impl<S, F> Inspect<S, F> {
    /// `look` at what `stage` makes.
    pub const fn new(stage: S, look: F) -> Self {
        Self { stage, look }
    }
}

impl<In, S, F> Stage<In> for Inspect<S, F>
where
    S: Stage<In>,
    F: Fn(&S::Out) + Send + Sync,
{
    type Out = S::Out;
    type Error = S::Error;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<S::Out, S::Error>> + Send {
        Mapped::new(self.stage.process(input), |result: Result<S::Out, S::Error>| result.inspect(&self.look))
    }
}

/// Calls a function with the stage's error; see [`Inspect`].
#[derive(Debug, Clone, Copy)]
pub struct InspectErr<S, F> {
    stage: S,
    look: F,
}

impl<S, F> InspectErr<S, F> {
    /// `look` at how `stage` fails.
    pub const fn new(stage: S, look: F) -> Self {
        Self { stage, look }
    }
}

impl<In, S, F> Stage<In> for InspectErr<S, F>
where
    S: Stage<In>,
    F: Fn(&S::Error) + Send + Sync,
{
    type Out = S::Out;
    type Error = S::Error;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<S::Out, S::Error>> + Send {
        Mapped::new(self.stage.process(input), |result: Result<S::Out, S::Error>| result.inspect_err(&self.look))
    }
}

/// Calls a function with each input, before the stage runs; see [`Inspect`].
#[derive(Debug, Clone, Copy)]
pub struct Peek<S, F> {
    stage: S,
    look: F,
}

impl<S, F> Peek<S, F> {
    /// `look` at what goes into `stage`.
    pub const fn new(stage: S, look: F) -> Self {
        Self { stage, look }
    }
}

impl<In, S, F> Stage<In> for Peek<S, F>
where
    In: Send,
    S: Stage<In>,
    F: Fn(&In) + Send + Sync,
{
    type Out = S::Out;
    type Error = S::Error;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<S::Out, S::Error>> + Send {
        AndThen::new(std::future::ready(input), |input| {
            (self.look)(&input);
            Step::Continue(self.stage.process(input))
        })
    }
}

impl<S: Describe, F> Describe for Inspect<S, F> {
    fn describe(&self) -> Shape {
        self.stage.describe()
    }
}

impl<S: Describe, F> Describe for InspectErr<S, F> {
    fn describe(&self) -> Shape {
        self.stage.describe()
    }
}

impl<S: Describe, F> Describe for Peek<S, F> {
    fn describe(&self) -> Shape {
        self.stage.describe()
    }
}
