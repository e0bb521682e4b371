//! How a delivery ends: outcomes, and the handles that carry them back to the transport.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use crate::{BoxFuture, Result};

/// What becomes of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Done; never deliver it again.
    Ack,
    /// Not done; deliver it again at once.
    Nak,
    /// Not done; deliver it again after this long.
    NakAfter(Duration),
    /// Will never be done; do not deliver it again. The text says why.
    Term(Cow<'static, str>),
}

/// Why a delivery does not get as far as a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// Its content type is one that the codec does not read.
    ContentType,
    /// Its payload or what goes with it is not what the content type says.
    Payload,
    /// Its signature is missing, wrong or too old.
    Signature,
    /// Its payload is larger than the codec takes.
    Size,
}

/// What a handler may return in `Ok`: `()`, which means [`Outcome::Ack`], or an [`Outcome`].
#[diagnostic::on_unimplemented(
    message = "a message handler cannot return `{Self}`",
    label = "the router does not know what becomes of the delivery",
    note = "return `Result<(), Failure>`; `Ok(())` acknowledges the message",
    note = "a handler that answers requests goes to `Router::respond`"
)]
pub trait IntoOutcome {
    /// The outcome.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Ack
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

/// `None` is what a stage makes of a message it leaves out on purpose: acknowledge it.
impl<T: IntoOutcome> IntoOutcome for Option<T> {
    fn into_outcome(self) -> Outcome {
        self.map_or(Outcome::Ack, T::into_outcome)
    }
}

/// Settles one delivery of a transport that redelivers.
///
/// # Delivery
/// A dropped acker settles nothing: the transport delivers again when its time is up.
///
/// # Cancel safety
/// A future that is dropped may or may not have settled; the message is then delivered again at worst.
///
/// # Errors
/// When the transport could not be told. The message may be delivered again.
///
/// # Implementing
/// Return when the transport has what it needs to keep the promise, not before. [`Settle`] comes with it.
#[diagnostic::on_unimplemented(
    message = "deliveries settled by `{Self}` have no `ack`",
    label = "this transport does not redeliver, so there is nothing to acknowledge",
    note = "subscribe through a transport that keeps messages until they are settled, for example `Mem::stream`",
    note = "or let the router settle: it takes any delivery"
)]
pub trait Acker: Send + 'static {
    /// Done; never deliver it again.
    fn ack(self) -> impl Future<Output = Result<()>> + Send;

    /// Not done; deliver it again, after `delay` or, with `None`, at once.
    fn nak(self, delay: Option<Duration>) -> impl Future<Output = Result<()>> + Send;

    /// Will never be done; do not deliver it again.
    fn term(self, reason: &str) -> impl Future<Output = Result<()>> + Send;

    /// Still being worked on: the time to settle starts anew.
    fn progress(&self) -> impl Future<Output = Result<()>> + Send;
}

/// What the worker loop does with any delivery once the handler is done.
///
/// Comes with every [`Acker`]. A transport on which the outcome itself is the answer, as a status of HTTP is, implements
/// it directly.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot settle a delivery",
    note = "implement `flux_core::Acker` for it when the transport redelivers, or use `flux_core::NoAck` when it does not"
)]
pub trait Settle: Send + 'static {
    /// Whether what was not done may be delivered again: by the transport, or by the sender, where it is told the outcome.
    const REDELIVERS: bool;

    /// [`REDELIVERS`](Self::REDELIVERS), for a handle whose type does not know it.
    fn redelivers(&self) -> bool {
        Self::REDELIVERS
    }

    /// Whether the sender waits to be told the outcome, as over HTTP; else it has gone on. Traces show the difference.
    ///
    /// Provided: `false`.
    fn sender_waits(&self) -> bool {
        false
    }

    /// Tells the transport what became of the delivery.
    fn settle(self, outcome: Outcome) -> impl Future<Output = Result<()>> + Send;

    /// Tells the transport that the delivery is still being worked on.
    fn keep_alive(&self) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Notes why the delivery does not get as far as a handler, before it is settled. On a transport where the outcome is the
    /// answer, the sender is told.
    ///
    /// Provided: does nothing.
    fn mark_unreadable(&mut self, _why: Unreadable) {}
}

impl<A: Acker> Settle for A {
    const REDELIVERS: bool = true;

    async fn settle(self, outcome: Outcome) -> Result<()> {
        match outcome {
            Outcome::Ack => self.ack().await,
            Outcome::Nak => self.nak(None).await,
            Outcome::NakAfter(delay) => self.nak(Some(delay)).await,
            Outcome::Term(reason) => self.term(&reason).await,
        }
    }

    fn keep_alive(&self) -> impl Future<Output = Result<()>> + Send {
        self.progress()
    }
}

/// The acker of a transport that delivers at most once: there is nothing to settle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoAck;

impl Settle for NoAck {
    const REDELIVERS: bool = false;

    fn settle(self, _outcome: Outcome) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }
}

/// The object-safe twin of [`Settle`].
pub trait DynSettle: Send {
    /// As [`Settle::redelivers`].
    fn redelivers_dyn(&self) -> bool;
    /// As [`Settle::sender_waits`].
    fn sender_waits_dyn(&self) -> bool;
    /// As [`Settle::settle`].
    fn settle_dyn(self: Box<Self>, outcome: Outcome) -> BoxFuture<'static, Result<()>>;
    /// As [`Settle::keep_alive`].
    fn keep_alive_dyn(&self) -> BoxFuture<'_, Result<()>>;
    /// As [`Settle::mark_unreadable`].
    fn mark_unreadable_dyn(&mut self, why: Unreadable);
}

impl<S: Settle> DynSettle for S {
    fn redelivers_dyn(&self) -> bool {
        self.redelivers()
    }

    fn sender_waits_dyn(&self) -> bool {
        self.sender_waits()
    }

    fn settle_dyn(self: Box<Self>, outcome: Outcome) -> BoxFuture<'static, Result<()>> {
        Box::pin((*self).settle(outcome))
    }

    fn keep_alive_dyn(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.keep_alive())
    }

    fn mark_unreadable_dyn(&mut self, why: Unreadable) {
        self.mark_unreadable(why);
    }
}

/// A boxed [`Settle`] of any transport.
pub struct BoxSettle(Box<dyn DynSettle>);

impl BoxSettle {
    /// Boxes `settle`.
    pub fn new(settle: impl Settle) -> Self {
        Self(Box::new(settle))
    }
}

impl Settle for BoxSettle {
    // The type cannot know; whoever needs the truth asks `redelivers`.
    const REDELIVERS: bool = true;

    fn redelivers(&self) -> bool {
        self.0.redelivers_dyn()
    }

    fn sender_waits(&self) -> bool {
        self.0.sender_waits_dyn()
    }

    fn settle(self, outcome: Outcome) -> impl Future<Output = Result<()>> + Send {
        self.0.settle_dyn(outcome)
    }

    fn keep_alive(&self) -> impl Future<Output = Result<()>> + Send {
        self.0.keep_alive_dyn()
    }

    fn mark_unreadable(&mut self, why: Unreadable) {
        self.0.mark_unreadable_dyn(why);
    }
}

impl std::fmt::Debug for BoxSettle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoxSettle").field("redelivers", &self.redelivers()).finish()
    }
}

/// The object-safe twin of [`Acker`].
pub trait DynAcker: Send {
    /// As [`Acker::ack`].
    fn ack_dyn(self: Box<Self>) -> BoxFuture<'static, Result<()>>;
    /// As [`Acker::nak`].
    fn nak_dyn(self: Box<Self>, delay: Option<Duration>) -> BoxFuture<'static, Result<()>>;
    /// As [`Acker::term`].
    fn term_dyn(self: Box<Self>, reason: String) -> BoxFuture<'static, Result<()>>;
    /// As [`Acker::progress`].
    fn progress_dyn(&self) -> BoxFuture<'_, Result<()>>;
}

impl<A: Acker> DynAcker for A {
    fn ack_dyn(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin((*self).ack())
    }

    fn nak_dyn(self: Box<Self>, delay: Option<Duration>) -> BoxFuture<'static, Result<()>> {
        Box::pin((*self).nak(delay))
    }

    fn term_dyn(self: Box<Self>, reason: String) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move { (*self).term(&reason).await })
    }

    fn progress_dyn(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.progress())
    }
}

/// A boxed [`Acker`] of any transport.
pub type BoxAcker = Box<dyn DynAcker>;

// Nobody who lacks an acker is helped by a box.
#[diagnostic::do_not_recommend]
impl Acker for BoxAcker {
    fn ack(self) -> impl Future<Output = Result<()>> + Send {
        self.ack_dyn()
    }

    fn nak(self, delay: Option<Duration>) -> impl Future<Output = Result<()>> + Send {
        self.nak_dyn(delay)
    }

    fn term(self, reason: &str) -> impl Future<Output = Result<()>> + Send {
        self.term_dyn(reason.to_owned())
    }

    fn progress(&self) -> impl Future<Output = Result<()>> + Send {
        self.as_ref().progress_dyn()
    }
}
