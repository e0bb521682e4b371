//! A stage with a name, an error handler and a picture.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;

use flux_core::Stage;

use crate::{Describe, OrElse, Shape};

/// A stage under a name that can print itself as a Mermaid graph, and that decides what becomes of errors.
///
/// ```
/// use flux_core::{Failure, Stage};
/// use flux_stage::{Pipeline, StageExt};
///
/// async fn parse(line: &str) -> Result<u32, Failure> { line.parse().map_err(Failure::permanent) }
/// async fn book(n: u32) -> Result<u32, Failure> { if n > 0 { Ok(n) } else { Err(Failure::drop("nothing to book")) } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Failure> {
/// let import = Pipeline::new("import", parse.label("parse").then(book.label("book")));
/// assert_eq!(
///     import.to_string(),
///     r#"flowchart LR
///     subgraph s0["import"]
///         n1["parse"]
///         n2["book"]
///         n1 --> n2
///     end
/// "#
/// );
/// let import = import.on_error(|error| match error.class() {
///     flux_core::FailureClass::Drop => Ok(0), // swallowed
///     _ => Err(error),                        // passed on; another error would replace it
/// });
/// assert_eq!(import.process("0").await?, 0);
/// assert!(import.process("x").await.is_err());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Pipeline<S> {
    name: Cow<'static, str>,
    stage: S,
}

impl<S> Pipeline<S> {
    /// `stage` under `name`.
    pub fn new(name: impl Into<Cow<'static, str>>, stage: S) -> Self {
        Self { name: name.into(), stage }
    }

    /// Decides what becomes of an error: `Ok(value)` swallows it, `Err(error)` passes it on or replaces it.
    pub fn on_error<In, E, F>(self, handle: F) -> Pipeline<OrElse<S, F>>
    where
        S: Stage<In>,
        F: Fn(S::Error) -> Result<S::Out, E> + Send + Sync,
    {
        Pipeline { name: self.name, stage: OrElse::new(self.stage, handle) }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<In, S: Stage<In>> Stage<In> for Pipeline<S> {
    type Out = S::Out;
    type Error = S::Error;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<S::Out, S::Error>> + Send {
        self.stage.process(input)
    }
}

impl<S: Describe> Describe for Pipeline<S> {
    fn describe(&self) -> Shape {
        Shape::around(self.name.as_ref(), self.stage.describe())
    }
}

/// Prints its [`Shape`].
impl<S: Describe> fmt::Display for Pipeline<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe().fmt(f)
    }
}
