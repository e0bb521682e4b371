//! Publishing: the value moves into the queue of the last match, clones of it into the others.

use std::any::TypeId;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flux_core::{Bytes, Error, ErrorKind, Message, Publisher, Result};

use crate::config::WhenFull;
use crate::mem::{Mem, Shared, closed};
use crate::queue::{Queue, Refusal, WaitForRoom};
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

    fn send(&self, message: Message<T>) -> impl Future<Output = Result<Delivered>> + Send {
        // A captured variable is used in place, where the argument of an `async fn` is copied once more.
        let mut slot = Some(message);
        async move {
            let shared = self.shared();
            // `Bytes` come from `Typed`, which has reported them already.
            let reported = slot.as_mut().filter(|_| !is_bytes::<T>());
            let sending = reported.map(|message| shared.telemetry.send(&message.subject, &mut message.headers));
            let result = match shared.offer(&mut slot) {
                Ok(offer) if offer.is_done() => Ok(offer.receipt),
                Ok(offer) => offer.wait(&mut slot).await,
                Err(error) => Err(error),
            };
            let result = result.map_err(|error| error.with_operation("publish"));
            if let Some(sending) = sending {
                sending.finish(result.as_ref().map(drop));
            }
            result
        }
    }
}

/// Whether payloads of this type are encoded ones.
pub(crate) fn is_bytes<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<Bytes>()
}

/// How far a publish has come without waiting.
struct Offer<T> {
    receipt: Delivered,
    /// The last match, when it is full: it gets the message itself.
    last: Option<Arc<Queue<Message<T>>>>,
    /// Other full matches, each with its copy.
    others: Vec<WaitForRoom<Message<T>>>,
}

impl Shared {
    /// Moves the message out of `slot`, unless the last queue refuses it.
    fn offer<T: Clone + Send + 'static>(&self, slot: &mut Option<Message<T>>) -> Result<Offer<T>> {
        let mut wakes = Wakes::new();
        // What is left over is dropped without a lock held: its destructor may come back to the bus.
        let mut spare = None;
        let offer = self.offer_locked(slot, &mut spare, &mut wakes);
        wakes.wake();
        offer
    }

    fn offer_locked<T: Clone + Send + 'static>(
        &self,
        slot: &mut Option<Message<T>>,
        spare: &mut Option<Message<T>>,
        wakes: &mut Wakes,
    ) -> Result<Offer<T>> {
        let mut offer = Offer { receipt: Delivered::default(), last: None, others: Vec::new() };
        let Some(message) = &*slot else { return Ok(offer) };
        let registry = self.read();
        if registry.closed {
            return Err(closed().with_subject(message.subject.clone()));
        }
        let mut last = None;
        registry.visit(&message.subject, |queue| {
            if let Some(queue) = last.replace(queue) {
                spare.get_or_insert_with(|| message.clone());
                if self.give(queue, spare, &mut offer.receipt, wakes) {
                    offer.others.push(WaitForRoom::new(Arc::clone(queue), spare.take()));
                }
            }
        });
        let Some(last) = last else {
            registry.check_types::<Message<T>>(&message.subject, wakes)?;
            return Ok(offer);
        };
        if self.give(last, slot, &mut offer.receipt, wakes) {
            offer.last = Some(Arc::clone(last));
        }
        Ok(offer)
    }

    /// Moves what is in `slot` into the queue. Tells whether to wait for room.
    #[inline]
    fn give<T>(
        &self,
        queue: &Queue<Message<T>>,
        slot: &mut Option<Message<T>>,
        receipt: &mut Delivered,
        wakes: &mut Wakes,
    ) -> bool {
        match (queue.push(slot, wakes), self.config.when_full) {
            (Ok(()), _) => receipt.subscribers += 1,
            (Err(Refusal::Full), WhenFull::Wait) => return true,
            (Err(Refusal::Full), WhenFull::Drop) => {
                queue.count_dropped();
                self.dropped.fetch_add(1, Ordering::Relaxed);
                receipt.dropped += 1;
            }
            (Err(Refusal::Closed | Refusal::Gone), _) => {}
        }
        false
    }
}

impl<T> Offer<T> {
    fn is_done(&self) -> bool {
        self.last.is_none() && self.others.is_empty()
    }

    async fn wait(self, slot: &mut Option<Message<T>>) -> Result<Delivered> {
        let Self { mut receipt, last, others } = self;
        let last = last.map(|queue| WaitForRoom::new(queue, slot.take()));
        for room in others.into_iter().chain(last) {
            match room.await {
                Ok(()) => receipt.subscribers += 1,
                Err(Refusal::Closed) => {
                    return Err(Error::new(ErrorKind::Closed, "the bus was closed while the message waited for room"));
                }
                Err(Refusal::Full | Refusal::Gone) => {}
            }
        }
        Ok(receipt)
    }
}
