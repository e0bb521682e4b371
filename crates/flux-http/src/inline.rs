//! Responders that are called on the task of the connection, so that no request goes from task to task.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use flux_core::{BoxFuture, Delivery, Message, Metadata, OnArrival};
use tokio::sync::{Semaphore, oneshot};

use crate::HttpReply;
use crate::registry::Answer;

/// A responder that is called, so many times at once; others wait.
pub(crate) struct Inline {
    on_arrival: OnArrival<Bytes, HttpReply>,
    /// How many more may be called right now; closed when the responder has withdrawn.
    places: Semaphore,
    waiting: AtomicUsize,
    capacity: usize,
    /// Dropped with the last call: the responder waits for that.
    _ended: oneshot::Sender<()>,
}

/// Why a request is not handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Left,
}

impl Inline {
    /// The responder, and what is done when it and all its calls are gone.
    pub(crate) fn new(
        on_arrival: OnArrival<Bytes, HttpReply>,
        concurrency: usize,
        capacity: usize,
    ) -> (Arc<Self>, impl Future<Output = ()> + Send + 'static) {
        let (held, ended) = oneshot::channel();
        let places = Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS));
        let inline = Self { on_arrival, places, waiting: AtomicUsize::new(0), capacity, _ended: held };
        let ended = async move {
            let _ = ended.await;
        };
        (Arc::new(inline), ended)
    }

    /// Sends those away who wait.
    pub(crate) fn close(&self) {
        self.places.close();
    }

    /// Waits until the responder may be called.
    pub(crate) async fn turn(self: Arc<Self>) -> Result<Turn, Refused> {
        let permit = match self.places.try_acquire() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = Waiting::join(&self)?;
                self.places.acquire().await.map_err(|_| Refused::Left)?
            }
        };
        permit.forget();
        Ok(Turn(self))
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

/// Leave to call the responder, until it is dropped.
pub(crate) struct Turn(Arc<Inline>);

impl Turn {
    /// Calls the responder. Dropped before its end, the call goes on in a task of its own: a handler is not cut short because its
    /// requester went away.
    pub(crate) fn call(self, message: Message<Bytes>, answer: oneshot::Sender<Answer>) -> Call {
        let delivery = Delivery::new(message, Metadata::default(), HttpReply(Some(answer)));
        Call(Some(((self.0.on_arrival)(Ok(delivery)), self)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.places.add_permits(1);
    }
}

/// A responder at work.
pub(crate) struct Call(Option<(BoxFuture<'static, ()>, Turn)>);

impl Future for Call {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some((call, _)) = &mut self.0 else { return Poll::Ready(()) };
        let polled = call.as_mut().poll(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Some((call, turn)) = self.0.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                call.await;
                drop(turn);
            });
        }
    }
}
