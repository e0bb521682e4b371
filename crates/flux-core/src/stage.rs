//! The one unit of processing.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::{BoxFuture, Failure, IntoOutcome, Message};

/// Turns an input into an output, or fails.
///
/// Everything that processes is a stage: a handler from a message to an outcome, a request handler from request to
/// response, a publisher bound to a subject from a value to a receipt. Any `async fn` of one argument is one, so what wraps
/// a stage wraps all of them.
///
/// # Cancel safety
/// A stage whose future is dropped stops where it was. It documents what that leaves behind.
///
/// # Implementing
/// `process` takes `&self`: a stage is shared by all that runs through it at the same time.
///
/// ```
/// use flux_core::Stage;
///
/// async fn half(n: u32) -> Result<u32, String> {
///     if n % 2 == 0 { Ok(n / 2) } else { Err(format!("{n} is odd")) }
/// }
///
/// fn check(_: &impl Stage<u32, Out = u32, Error = String>) {}
/// check(&half);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not process `{In}`",
    label = "not a `Stage<{In}>`",
    note = "any `async fn(input: {In}) -> Result<Output, Error>` is a stage; check the argument's type and that it returns a `Result`",
    note = "the future must be `Send`: a value that is not, such as an `Rc` or a lock's guard, may not live across an `.await`"
)]
pub trait Stage<In>: Send + Sync {
    /// What it makes.
    type Out: Send;
    /// How it fails.
    type Error: Send;

    /// Processes one input.
    fn process(&self, input: In) -> impl Future<Output = Result<Self::Out, Self::Error>> + Send;
}

// Else the compiler names the first bound that fails, `…is not a future`, and not what to write.
#[diagnostic::do_not_recommend]
impl<F, Fut, In, Out, E> Stage<In> for F
where
    F: Fn(In) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Out, E>> + Send,
    Out: Send,
    E: Send,
{
    type Out = Out;
    type Error = E;

    fn process(&self, input: In) -> impl Future<Output = Result<Out, E>> + Send {
        self(input)
    }
}

/// A stage over messages whose result says what becomes of the delivery.
///
/// Implemented by every fitting [`Stage`]; write `async fn on_order(order: Message<Order>) -> Result<(), Failure>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of messages with payload `{T}`",
    label = "not a handler of `Message<{T}>`",
    note = "write `async fn name(message: Message<{T}>) -> Result<(), Failure>`",
    note = "it may return `()` or an `Outcome`, and any error that converts into a `Failure`; text does so by `Failure::retry(text)`",
    note = "a handler that answers requests goes to `Router::respond`",
    note = "the future must be `Send`: a value that is not, such as an `Rc` or a lock's guard, may not live across an `.await`"
)]
pub trait Handler<T>: Stage<Message<T>, Out: IntoOutcome, Error: Into<Failure>> {}

#[diagnostic::do_not_recommend]
impl<T, H> Handler<T> for H where H: Stage<Message<T>, Out: IntoOutcome, Error: Into<Failure>> {}

/// The object-safe twin of [`Stage`].
pub trait DynStage<In, Out, E>: Send + Sync {
    /// As [`Stage::process`].
    fn process_dyn<'s>(&'s self, input: In) -> BoxFuture<'s, Result<Out, E>>
    where
        In: 's;
}

impl<In: Send, S: Stage<In>> DynStage<In, S::Out, S::Error> for S {
    fn process_dyn<'s>(&'s self, input: In) -> BoxFuture<'s, Result<S::Out, S::Error>>
    where
        In: 's,
    {
        Box::pin(self.process(input))
    }
}

macro_rules! boxed {
    ($(#[$doc:meta])* $name:ident, $pointer:ident) => {
        $(#[$doc])*
        pub struct $name<In, Out, E>($pointer<dyn DynStage<In, Out, E>>);

        impl<In, Out, E> $name<In, Out, E> {
            #[doc = concat!("Moves `stage` into a ", stringify!($pointer), ".")]
            pub fn new<S>(stage: S) -> Self
            where
                In: Send,
                S: Stage<In, Out = Out, Error = E> + 'static,
            {
                Self($pointer::new(stage))
            }
        }

        #[diagnostic::do_not_recommend]
        impl<In: Send, Out: Send, E: Send> Stage<In> for $name<In, Out, E> {
            type Out = Out;
            type Error = E;

            async fn process(&self, input: In) -> Result<Out, E> {
                self.0.process_dyn(input).await
            }
        }

        impl<In, Out, E> fmt::Debug for $name<In, Out, E> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

boxed! {
    /// A boxed stage.
    BoxStage, Box
}
boxed! {
    /// A shared stage.
    ArcStage, Arc
}

impl<In, Out, E> Clone for ArcStage<In, Out, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
