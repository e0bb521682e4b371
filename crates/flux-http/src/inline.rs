//! Responders that are called on the task of the connection, so that no request goes from task to task.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use flux_core::{BoxFuture, Delivery, Message, Metadata, OnArrival, Subject};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot, watch};

use crate::registry::Answer;
use crate::{HttpReply, HttpServerConfig};

/// A responder that is called, so many times at once; others wait.
pub(crate) struct Inline {
    on_arrival: OnArrival<Bytes, HttpReply>,
    /// How many more may be called right now; closed when the last one of a responder that has gone is done.
    places: Semaphore,
    concurrency: u32,
    waiting: AtomicUsize,
    capacity: usize,
    /// The responder has withdrawn: who waits is sent away.
    withdrawn: watch::Sender<bool>,
    /// The same, for a look without a lock.
    has_left: AtomicBool,
}

/// Why a request is not handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Left,
}

impl Inline {
    pub(crate) fn new(on_arrival: OnArrival<Bytes, HttpReply>, concurrency: usize, capacity: usize) -> Arc<Self> {
        let concurrency = concurrency.min(Semaphore::MAX_PERMITS).try_into().unwrap_or(u32::MAX);
        Arc::new(Self {
            on_arrival,
            places: Semaphore::new(concurrency as usize),
            concurrency,
            waiting: AtomicUsize::new(0),
            capacity,
            withdrawn: watch::Sender::new(false),
            has_left: AtomicBool::new(false),
        })
    }

    /// Sends those away who wait.
    pub(crate) fn withdraw(&self) {
        self.has_left.store(true, Ordering::Release);
        self.withdrawn.send_replace(true);
    }

    /// Waits until all calls are done, once it is sure that no new ones come, and refuses those that come all the same.
    pub(crate) async fn idle(&self) {
        let _all = self.places.acquire_many(self.concurrency).await;
        self.places.close();
    }

    /// Waits until there is a place, of which it takes one.
    async fn wait(&self) -> Result<(), Refused> {
        let _waiting = Waiting::join(self)?;
        let mut watch = self.withdrawn.subscribe();
        let (mut left, mut place) = (pin!(watch.wait_for(|left| *left)), pin!(self.places.acquire()));
        poll_fn(|cx| {
            if left.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(Refused::Left));
            }
            place.as_mut().poll(cx).map(|place| place.map(SemaphorePermit::forget).map_err(|_| Refused::Left))
        })
        .await
    }
}

/// One more that waits.
struct Waiting<'i>(&'i Inline);

impl<'i> Waiting<'i> {
    fn join(inline: &'i Inline) -> Result<Self, Refused> {
        let waiting = Self(inline);
        if inline.waiting.fetch_add(1, Ordering::Relaxed) < inline.capacity { Ok(waiting) } else { Err(Refused::Full) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The responder of a subject, as a thread knows it: handed from request to request, and shared with no other thread.
pub(crate) struct Known {
    pub(crate) config: Arc<HttpServerConfig>,
    pub(crate) subject: Subject,
    pub(crate) inline: Arc<Inline>,
}

impl Known {
    /// Waits until the responder may be [called](Self::call), once.
    pub(crate) async fn place(&self) -> Result<(), Refused> {
        // It may have withdrawn while the body was read.
        if self.inline.has_left.load(Ordering::Acquire) {
            return Err(Refused::Left);
        }
        match self.inline.places.try_acquire() {
            Ok(place) => place.forget(),
            Err(_) => Box::pin(self.inline.wait()).await?,
        }
        Ok(())
    }

    fn leave(&self) {
        self.inline.places.add_permits(1);
    }

    /// Calls the responder, for whom there is a [place](Self::place). Dropped before its end, the call goes on in a task of its own:
    /// a handler is not cut short because its requester went away.
    pub(crate) fn call(self: Arc<Self>, message: Message<Bytes>, answer: oneshot::Sender<Answer>) -> Call {
        let delivery = Delivery::new(message, Metadata::default(), HttpReply(Some(answer)));
        let running = catch_unwind(AssertUnwindSafe(|| (self.inline.on_arrival)(Ok(delivery)))).ok();
        Call { running, known: self }
    }
}

/// A responder at work, in its place.
pub(crate) struct Call {
    running: Option<BoxFuture<'static, ()>>,
    pub(crate) known: Arc<Known>,
}

impl Future for Call {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(running) = &mut self.running else { return Poll::Ready(()) };
        // A call that panics must not take the connection with it: its reply is dropped, which is an answer.
        let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))).unwrap_or(Poll::Ready(()));
        if polled.is_ready() {
            self.running = None;
        }
        polled
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let running = self.running.take();
        match (running, tokio::runtime::Handle::try_current()) {
            (Some(running), Ok(runtime)) => {
                let place = Place(Arc::clone(&self.known));
                runtime.spawn(async move {
                    running.await;
                    drop(place);
                });
            }
            _ => self.known.leave(),
        }
    }
}

/// The place of a call that goes on, also if it panics.
struct Place(Arc<Known>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use flux_core::subject;

    use super::*;

    #[tokio::test]
    async fn who_has_withdrawn_is_not_called_for_a_body_that_came_late() {
        let inline = Inline::new(Arc::new(|_| Box::pin(async {})), 2, 1);
        let known = Known { config: Arc::default(), subject: subject!("a"), inline: Arc::clone(&inline) };
        assert!(known.place().await.is_ok());
        inline.withdraw();
        assert_eq!(known.place().await.err(), Some(Refused::Left));
    }
}
