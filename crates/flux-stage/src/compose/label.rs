//! A stage with a name in graphs.

use std::borrow::Cow;
use std::future::Future;

use flux_core::Stage;

use crate::{Describe, Shape};

/// A stage under a name in the graph of a pipeline. Its errors stay what they are; [`Named`](crate::Named) adds the name to them.
#[derive(Debug, Clone)]
pub struct Label<S> {
    stage: S,
    label: Cow<'static, str>,
}

impl<S> Label<S> {
    /// `stage`, called `label`.
    pub fn new(label: impl Into<Cow<'static, str>>, stage: S) -> Self {
        Self { stage, label: label.into() }
    }

    /// The name.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }
}

impl<In, S: Stage<In>> Stage<In> for Label<S> {
    type Out = S::Out;
    type Error = S::Error;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<S::Out, S::Error>> + Send {
        self.stage.process(input)
    }
}

impl<S> Describe for Label<S> {
    fn describe(&self) -> Shape {
        Shape::leaf(self.label.as_ref())
    }
}
