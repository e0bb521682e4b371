//! Values of keys, and how they change.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flux_core::{Codec, Error, ErrorKind, Message, Result, Subject};
use futures_core::Stream;

use super::{KeyValue, OPERATION};
use crate::OrderedDeliveries;

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<T> {
    /// The key.
    pub key: String,
    /// The value.
    pub value: T,
    /// The value's place in the bucket's stream.
    pub revision: u64,
}

/// A change of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change<T> {
    /// It has this value now.
    Put(Entry<T>),
    /// It has no value any more: deleted, purged, or its time was up.
    Deleted {
        /// The key.
        key: String,
        /// The place of the deletion in the bucket's stream.
        revision: u64,
    },
}

impl<T> Change<T> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Deleted { key, .. } => key,
        }
    }

    /// The value, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Put(entry) => Some(&entry.value),
            Self::Deleted { .. } => None,
        }
    }
}

/// Whether a message marks the end of its key. The server writes a reason on the markers that it leaves itself.
pub(super) fn is_marker(message: &Message<Bytes>) -> bool {
    message.headers.contains(OPERATION) || message.headers.contains("Nats-Marker-Reason")
}

/// Reads the answer to a direct get (ADR-31): the message as it was stored, and its place among the headers.
pub(super) fn read_direct(answer: async_nats::Message, subject: Subject) -> Result<Option<(Message<Bytes>, u64)>> {
    match answer.status.map(|status| status.as_u16()) {
        None => {}
        Some(404) => return Ok(None),
        Some(code) => {
            let text = format!("the server refused: {} ({code})", answer.description.as_deref().unwrap_or_default());
            return Err(Error::new(ErrorKind::Rejected, text));
        }
    }
    let headers = answer.headers.as_ref();
    let sequence = headers.and_then(|headers| headers.get("Nats-Sequence")?.as_str().parse().ok());
    let Some(sequence) = sequence else {
        return Err(Error::new(ErrorKind::Other, "the server's answer has no place in the stream"));
    };
    let headers = headers.map(flux_nats::wire::read_headers).transpose()?.unwrap_or_default();
    Ok(Some((Message::to(subject, answer.payload).with_headers(headers), sequence)))
}

/// Changes of keys as they come, after the newest ones there are.
pub struct Watch<T, C> {
    deliveries: OrderedDeliveries,
    bucket: KeyValue<C>,
    value: PhantomData<fn() -> T>,
}

impl<T, C> Watch<T, C> {
    pub(super) fn new(deliveries: OrderedDeliveries, bucket: KeyValue<C>) -> Self {
        Self { deliveries, bucket, value: PhantomData }
    }
}

// Nothing in it is pinned in place.
impl<T, C> Unpin for Watch<T, C> {}

impl<T, C: Codec<T>> Stream for Watch<T, C> {
    type Item = Result<Change<T>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.deliveries).poll_next(cx);
        next.map(|item| {
            item.map(|delivery| {
                let delivery = delivery?;
                let revision = delivery.metadata.sequence.unwrap_or_default();
                self.bucket.change(&delivery.into_message(), revision)
            })
        })
    }
}

impl<T, C> fmt::Debug for Watch<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}
