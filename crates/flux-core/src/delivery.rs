//! One attempt to hand a message over.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use crate::{Acker, BoxSettle, Message, Metadata, NoAck, Outcome, Result, Settle};

/// A message together with what the transport knows about this attempt and the handle that settles it.
///
/// What cannot be settled has no [`ack`](Self::ack): on an at-most-once transport `A` is [`NoAck`].
///
/// ```compile_fail
/// # use flux_core::Delivery;
/// # async fn at_most_once(delivery: Delivery<u8>) {
/// delivery.ack().await; // does not compile: nothing to acknowledge
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a delivery that is dropped is not settled; a transport that can will deliver it again"]
#[non_exhaustive]
pub struct Delivery<T, A = NoAck> {
    /// The message.
    pub message: Message<T>,
    /// What the transport knows about this attempt.
    pub metadata: Metadata,
    /// The payload as it came, when the message was decoded from bytes.
    pub original: Option<Bytes>,
    /// Settles the delivery.
    pub acker: A,
}

impl<T, A> Delivery<T, A> {
    /// A delivery, as a transport makes it.
    pub const fn new(message: Message<T>, metadata: Metadata, acker: A) -> Self {
        Self { message, metadata, original: None, acker }
    }

    /// Keeps the payload's bytes beside the value that was decoded from them.
    pub fn with_original(mut self, original: Bytes) -> Self {
        self.original = Some(original);
        self
    }

    /// The same delivery with another handle.
    pub fn map_acker<B>(self, acker: impl FnOnce(A) -> B) -> Delivery<T, B> {
        let Self { message, metadata, original, acker: old } = self;
        Delivery { message, metadata, original, acker: acker(old) }
    }

    /// The message alone. The delivery stays unsettled.
    pub fn into_message(self) -> Message<T> {
        self.message
    }
}

impl<T, A: Settle> Delivery<T, A> {
    /// Settles with `outcome`; does nothing on a transport that cannot.
    ///
    /// # Errors
    /// Those of [`Settle::settle`].
    pub async fn settle(self, outcome: Outcome) -> Result<()> {
        self.acker.settle(outcome).await
    }
}

// The bound is each method's own, so that the compiler says why there is no `ack` here, and not only that there is none.
impl<T, A> Delivery<T, A> {
    /// Done; never deliver it again.
    ///
    /// # Errors
    /// Those of [`Acker`].
    pub async fn ack(self) -> Result<()>
    where
        A: Acker,
    {
        self.acker.ack().await
    }

    /// Not done; deliver it again at once.
    ///
    /// # Errors
    /// Those of [`Acker`].
    pub async fn nak(self) -> Result<()>
    where
        A: Acker,
    {
        self.acker.nak(None).await
    }

    /// Not done; deliver it again after `delay`.
    ///
    /// # Errors
    /// Those of [`Acker`].
    pub async fn nak_after(self, delay: Duration) -> Result<()>
    where
        A: Acker,
    {
        self.acker.nak(Some(delay)).await
    }

    /// Will never be done; do not deliver it again.
    ///
    /// # Errors
    /// Those of [`Acker`].
    pub async fn term(self, reason: &str) -> Result<()>
    where
        A: Acker,
    {
        self.acker.term(reason).await
    }

    /// Still being worked on: the time to settle starts anew.
    ///
    /// # Errors
    /// Those of [`Acker`].
    pub fn progress(&self) -> impl Future<Output = Result<()>> + Send
    where
        A: Acker,
    {
        self.acker.progress()
    }
}

/// A delivery whose payload did not decode: the bytes as they came, and the handle that settles them.
///
/// Taken from the error with [`Error::take_undecodable`](crate::Error::take_undecodable).
pub type Undecodable = Box<Delivery<Bytes, BoxSettle>>;

impl Outcome {
    /// [`Outcome::Term`] with this reason.
    pub fn term(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Term(reason.into())
    }
}
