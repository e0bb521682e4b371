//! Subscribing, alone or as a member of a group.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use flux_core::{
    Backlog, Delivery, Error, ErrorKind, Instance, Message, Metadata, NoAck, QueueSubscriber, Result, SubjectFilter,
    Subscriber,
};
use futures_core::Stream;

use crate::mem::Mem;
use crate::receiver::Receiver;

/// # Delivery
/// At most once. What is still queued when the stream is dropped is dropped with it.
///
/// # Ordering
/// In the order of each publisher. Members of a group take in that order, and may finish in another.
///
/// # Errors
/// [`ErrorKind::InvalidSubject`] and [`ErrorKind::Closed`]. In the stream, [`ErrorKind::TypeMismatch`] for what was
/// published here in a type that nobody takes: the first 16 that wait are kept, and the number of the others.
impl<T: Clone + Send + 'static> Subscriber<T> for Mem {
    type Acker = NoAck;
    type Deliveries = MemDeliveries<T>;

    async fn subscribe(&self, filter: &str) -> Result<MemDeliveries<T>> {
        let receiver = self.shared().join(filter, None).map_err(|error| error.with_operation("subscribe"))?;
        Ok(MemDeliveries { receiver })
    }

    fn backlog(deliveries: &MemDeliveries<T>) -> Option<Arc<dyn Backlog>> {
        Some(Arc::new(deliveries.receiver.backlog()))
    }
}

/// A group is known by its name together with its filter and type; its members share one queue, so that whoever is free
/// takes the next message. The queue lives as long as it has members.
impl<T: Clone + Send + 'static> QueueSubscriber<T> for Mem {
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<MemDeliveries<T>> {
        if group.is_empty() || group.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let text =
                format!("`{}` is no name for a queue group: it is empty or has white space", group.escape_debug());
            return Err(Error::new(ErrorKind::InvalidInput, text).with_operation("subscribe"));
        }
        let receiver = self.shared().join(filter, Some(group)).map_err(|error| error.with_operation("subscribe"))?;
        Ok(MemDeliveries { receiver })
    }

    fn instance(&self) -> Option<Instance> {
        Some(Instance::of(self.shared()).for_payload::<T>())
    }
}

/// The deliveries of one subscription. Dropped, it unsubscribes.
pub struct MemDeliveries<T: Send + 'static> {
    receiver: Receiver<Message<T>>,
}

impl<T: Send + 'static> MemDeliveries<T> {
    /// What it is subscribed to.
    #[must_use]
    pub const fn filter(&self) -> &SubjectFilter {
        self.receiver.filter()
    }

    /// How many messages this subscription, or its group, lost because its queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.receiver.queue().dropped()
    }
}

impl<T: Send + 'static> Stream for MemDeliveries<T> {
    type Item = Result<Delivery<T>>;

    #[expect(clippy::inline_always, reason = "a call would copy each delivery once more")]
    #[inline(always)]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = self.receiver.pop() {
            return Poll::Ready(Some(Ok(Delivery::new(message, Metadata::default(), NoAck))));
        }
        let next = self.receiver.poll_next(cx);
        next.map(|item| item.map(|message| Ok(Delivery::new(message?, Metadata::default(), NoAck))))
    }
}

impl<T: Send + 'static> fmt::Debug for MemDeliveries<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemDeliveries").field("filter", self.filter()).finish_non_exhaustive()
    }
}
