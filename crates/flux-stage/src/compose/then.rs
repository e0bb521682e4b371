//! One stage after the other.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use flux_core::Stage;

use super::and_then::{AndThen, Step};
use crate::{Describe, Shape};

/// Hands what `first` makes to `second`.
///
/// Chains of any depth are one flat state: nothing is allocated and nothing is boxed. An error of the first is the chain's
/// error, converted as `?` converts it.
///
/// ```
/// use flux_core::Stage;
/// use flux_stage::StageExt;
///
/// async fn parse(text: &str) -> Result<u32, std::num::ParseIntError> { text.parse() }
/// async fn half(n: u32) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
///     if n % 2 == 0 { Ok(n / 2) } else { Err("odd".into()) }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let stage = parse.then(half);
/// assert_eq!(stage.process("42").await.unwrap(), 21);
/// assert_eq!(stage.process("43").await.unwrap_err().to_string(), "odd");
/// assert!(stage.process("forty").await.is_err());
/// # }
/// ```
///
/// # Cancel safety
/// That of the stage that runs when the future is dropped. The other is done, or has not begun.
///
/// # Compile time
/// `In` is part of the type, so that the compiler never has to search for it: the time it takes grows with the depth of a
/// chain, and not exponentially.
pub struct Then<A, B, In> {
    first: A,
    second: B,
    input: PhantomData<fn(In)>,
}

impl<In, A: Stage<In>, B: Stage<A::Out>> Then<A, B, In> {
    /// `second` after `first`.
    pub const fn new(first: A, second: B) -> Self {
        Self { first, second, input: PhantomData }
    }
}

impl<In, A, B> Stage<In> for Then<A, B, In>
where
    A: Stage<In, Error: Into<B::Error>>,
    B: Stage<A::Out>,
{
    type Out = B::Out;
    type Error = B::Error;

    #[inline]
    fn process(&self, input: In) -> impl Future<Output = Result<B::Out, B::Error>> + Send {
        AndThen::new(self.first.process(input), |result: Result<A::Out, A::Error>| match result {
            Ok(output) => Step::Continue(self.second.process(output)),
            Err(error) => Step::Finish(Err(error.into())),
        })
    }
}

impl<In, A: Clone, B: Clone> Clone for Then<A, B, In> {
    fn clone(&self) -> Self {
        Self { first: self.first.clone(), second: self.second.clone(), input: PhantomData }
    }
}

impl<In, A: fmt::Debug, B: fmt::Debug> fmt::Debug for Then<A, B, In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Then").field("first", &self.first).field("second", &self.second).finish()
    }
}

impl<In, A: Describe, B: Describe> Describe for Then<A, B, In> {
    fn describe(&self) -> Shape {
        self.first.describe().then(self.second.describe())
    }
}
