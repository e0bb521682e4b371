//! Publishing: the value moves into the queue of the last match, clones of it into the others.

use std::any::TypeId;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flux_core::{Bytes, Error, ErrorKind, Message, Publisher, Result};
use tokio::task::coop;

use crate::config::WhenFull;
use crate::mem::{Mem, Shared, closed};
use crate::queue::{Pushed, Queue, WaitForRoom};
use crate::wakes::Wakes;

/// What is true when a publish returns: the message is in this many queues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// How many subscriptions have it. A queue group counts once.
    pub subscribers: usize,
    /// How many subscriptions lost it because their queue was full; always 0 under [`WhenFull::Wait`].
    pub dropped: usize,
}

/// # Delivery
/// The value is moved when one subscription takes it; `n` of them cost `n - 1` clones. `T::clone` runs while the bus is
/// locked for reading, so it must not use the bus itself.
///
/// # Cancel safety
/// A publish that waits for room has already delivered to the subscriptions that had some. Dropped, it does not deliver
/// to those it waits for.
///
/// # Errors
/// [`ErrorKind::Closed`]; [`ErrorKind::TypeMismatch`] when only subscribers of other types listen on the subject. No
/// subscriber at all is no error; the receipt says so.
impl<T: Clone + Send + 'static> Publisher<T> for Mem {
    type Receipt = Delivered;

    async fn send(&self, mut message: Message<T>) -> Result<Delivered> {
        poll_fn(coop::poll_proceed).await.made_progress();
        let shared = self.shared();
        // `Bytes` come from `Typed`, which has reported them already.
        let sending = (!is_bytes::<T>()).then(|| shared.telemetry.send(&message.subject, &mut message.headers));
        let result = match shared.offer(message) {
            Ok(offer) if offer.waiting.is_empty() => Ok(offer.receipt),
            Ok(offer) => offer.wait().await,
            Err(error) => Err(error),
        };
        if let Some(sending) = sending {
            sending.finish(result.as_ref().map(drop));
        }
        result
    }
}

/// Whether payloads of this type are encoded ones.
pub(crate) fn is_bytes<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<Bytes>()
}

/// How far a publish has come without waiting.
struct Offer<T> {
    receipt: Delivered,
    /// Full queues, each with its copy.
    waiting: Vec<WaitForRoom<Message<T>>>,
    /// A copy that a full queue did not take, for the next one.
    spare: Option<Message<T>>,
    /// The message, when the last queue did not take it. What is left over is dropped without a lock held: its
    /// destructor may come back to the bus.
    refused: Option<Message<T>>,
}

impl Shared {
    fn offer<T: Clone + Send + 'static>(&self, message: Message<T>) -> Result<Offer<T>> {
        let mut wakes = Wakes::new();
        let offer = self.offer_locked(message, &mut wakes);
        wakes.wake();
        offer
    }

    fn offer_locked<T: Clone + Send + 'static>(&self, message: Message<T>, wakes: &mut Wakes) -> Result<Offer<T>> {
        let mut offer = Offer { receipt: Delivered::default(), waiting: Vec::new(), spare: None, refused: None };
        let registry = self.read();
        if registry.closed {
            drop(registry);
            return Err(closed().with_operation("publish").with_subject(message.subject));
        }
        let mut last = None;
        registry.visit(&message.subject, |queue| {
            if let Some(queue) = last.replace(queue) {
                let copy = offer.spare.take().or_else(|| Some(message.clone()));
                offer.spare = self.give(queue, copy, &mut offer, wakes);
            }
        });
        match last {
            Some(queue) => offer.refused = self.give(queue, Some(message), &mut offer, wakes),
            None => {
                let checked = registry.check_types::<Message<T>>(&message.subject, wakes);
                drop(registry);
                checked.map_err(|error| error.with_operation("publish").with_subject(message.subject))?;
            }
        }
        Ok(offer)
    }

    /// Offers a copy to one queue, and returns it when it is left over.
    fn give<T>(
        &self,
        queue: &Arc<Queue<Message<T>>>,
        mut message: Option<Message<T>>,
        offer: &mut Offer<T>,
        wakes: &mut Wakes,
    ) -> Option<Message<T>> {
        match queue.push(&mut message, wakes) {
            Pushed::Accepted => offer.receipt.subscribers += 1,
            Pushed::Full if self.config.when_full == WhenFull::Wait => {
                offer.waiting.extend(message.take().map(|message| WaitForRoom::new(Arc::clone(queue), message)));
            }
            Pushed::Full => {
                queue.count_dropped();
                self.dropped.fetch_add(1, Ordering::Relaxed);
                offer.receipt.dropped += 1;
            }
            Pushed::Closed | Pushed::Gone => {}
        }
        message
    }
}

impl<T> Offer<T> {
    async fn wait(self) -> Result<Delivered> {
        let Self { mut receipt, waiting, .. } = self;
        for mut room in waiting {
            match (&mut room).await {
                Pushed::Accepted => receipt.subscribers += 1,
                Pushed::Closed => {
                    return Err(Error::new(ErrorKind::Closed, "the bus was closed while it waited for room"));
                }
                Pushed::Full | Pushed::Gone => {}
            }
        }
        Ok(receipt)
    }
}
