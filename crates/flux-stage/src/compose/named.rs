//! A stage whose errors say which stage it was.

use std::borrow::Cow;
use std::future::Future;

use flux_core::Stage;

use super::mapped::Mapped;
use crate::{Describe, Shape, StageError};

/// A stage whose errors carry its name.
///
/// ```
/// # use flux_core::Stage;
/// use flux_stage::StageExt;
///
/// # async fn parse(text: &str) -> Result<u32, std::num::ParseIntError> { text.parse() }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let error = parse.named("parse").process("x").await.unwrap_err();
/// assert_eq!(error.to_string(), "stage `parse` failed");
/// assert_eq!(error.stage(), "parse");
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Named<S> {
    stage: S,
    name: Cow<'static, str>,
}

impl<S> Named<S> {
    /// `stage`, called `name`.
    pub fn new(name: impl Into<Cow<'static, str>>, stage: S) -> Self {
        Self { stage, name: name.into() }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<In, S: Stage<In>> Stage<In> for Named<S> {
    type Out = S::Out;
    type Error = StageError<S::Error>;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<S::Out, Self::Error>> + Send {
        Mapped::new(self.stage.process(input), |result: Result<S::Out, S::Error>| {
            result.map_err(|error| StageError::new(self.name.clone(), error))
        })
    }
}

impl<S> Describe for Named<S> {
    fn describe(&self) -> Shape {
        Shape::leaf(self.name.as_ref())
    }
}
