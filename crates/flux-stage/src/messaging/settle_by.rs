//! From a handler's error to an outcome.

use flux_core::{Failure, IntoOutcome, Outcome, Stage};

use crate::{Describe, Shape};

/// Settles by a policy: what the handler fails with becomes the outcome that the policy says.
///
/// The route then does as the outcome says, and does not go up its ladder. Without it, the class of the
/// [`Failure`] decides.
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::{Message, Outcome, Stage, subject};
/// use flux_stage::SettleBy;
///
/// #[derive(Debug)]
/// enum Trouble { Busy, Nonsense }
/// async fn book(order: Message<u32>) -> Result<(), Trouble> {
///     if order.payload == 0 { Err(Trouble::Nonsense) } else { Err(Trouble::Busy) }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let handler = SettleBy::new(book, |trouble| match trouble {
///     Trouble::Busy => Outcome::NakAfter(Duration::from_secs(30)),
///     Trouble::Nonsense => Outcome::term("nonsense"),
/// });
/// let outcome = handler.process(Message::to(subject!("orders"), 0)).await.unwrap();
/// assert_eq!(outcome, Outcome::term("nonsense"));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SettleBy<S, F> {
    handler: S,
    policy: F,
}

impl<S, F> SettleBy<S, F> {
    /// `policy` over the errors of `handler`.
    pub const fn new(handler: S, policy: F) -> Self {
        Self { handler, policy }
    }
}

impl<In, S, F> Stage<In> for SettleBy<S, F>
where
    In: Send,
    S: Stage<In, Out: IntoOutcome>,
    F: Fn(S::Error) -> Outcome + Send + Sync,
{
    type Out = Outcome;
    type Error = Failure;

    async fn process(&self, input: In) -> Result<Outcome, Failure> {
        Ok(match self.handler.process(input).await {
            Ok(done) => done.into_outcome(),
            Err(error) => (self.policy)(error),
        })
    }
}

impl<S: Describe, F> Describe for SettleBy<S, F> {
    fn describe(&self) -> Shape {
        self.handler.describe()
    }
}
