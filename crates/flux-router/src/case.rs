//! A delivery on its way through the handler.

use bytes::Bytes;
use flux_core::{Delivery, Forwarded, Headers, Message, Metadata, Settle, Subject, header};

use crate::dead_letter::{GivenUp, is_dead_letter};

/// A delivery in parts, so that each stays where it is until its time comes: some hundred bytes are not moved for every step
/// between the transport and the handler.
pub(crate) struct Case<T, A> {
    pub(crate) subject: Subject,
    pub(crate) headers: Headers,
    /// Gone once it was moved to the handler, because nobody will need it again.
    pub(crate) payload: Option<T>,
    /// The payload as it came, when it was decoded from bytes.
    pub(crate) original: Option<Bytes>,
    pub(crate) metadata: Metadata,
    /// There until it is used.
    pub(crate) acker: Option<A>,
}

impl<T, A> From<Delivery<T, A>> for Case<T, A> {
    #[inline]
    fn from(delivery: Delivery<T, A>) -> Self {
        let Delivery { message, metadata, original, acker, .. } = delivery;
        let Message { subject, headers, payload } = message;
        Self { subject, headers, payload: Some(payload), original, metadata, acker: Some(acker) }
    }
}

impl<T, A> Case<T, A> {
    /// Which attempt this is, from 1: the transport counts where it can, the header where it was published again.
    pub(crate) fn attempt(&self) -> u64 {
        let counted = self.metadata.delivered.unwrap_or(1);
        let earlier = self.headers.get(&header::RETRY_COUNT).filter(|_| !is_dead_letter(&self.headers));
        counted + earlier.and_then(|count| count.parse::<u64>().ok()).unwrap_or(0)
    }

    /// Whether the transport delivers again what is not settled with success.
    pub(crate) fn redelivers(&self) -> bool
    where
        A: Settle,
    {
        self.acker.as_ref().is_some_and(A::redelivers)
    }

    /// What a dead letter is made of, when the payload was kept in one form or the other: as it came, if possible.
    pub(crate) fn give_up(&mut self) -> Option<GivenUp<T>> {
        let value = self.payload.take();
        let payload = self.original.take().map(Forwarded::Encoded).or_else(|| value.map(Forwarded::Value))?;
        Some(GivenUp { subject: self.subject.clone(), headers: self.headers.clone(), payload })
    }
}
