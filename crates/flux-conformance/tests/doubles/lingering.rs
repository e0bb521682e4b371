//! Channels in memory whose subscriptions outlive those who subscribed.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use flux_conformance::{Capabilities, Fixture};
use flux_core::{Message, NoAck, Publisher, Result, Subscriber};
use flux_mem::Mem;
use futures_core::Stream;

type Inner = Pin<Box<<Mem as Subscriber<Bytes>>::Deliveries>>;

#[derive(Clone)]
pub(crate) struct Lingering {
    messages: Mem,
    /// Subscriptions that were dropped, and get their messages all the same.
    ghosts: Arc<Mutex<Vec<Inner>>>,
}

impl Publisher<Bytes> for Lingering {
    type Receipt = ();

    async fn send(&self, message: Message<Bytes>) -> Result<()> {
        self.messages.send(message).await.map(drop)
    }
}

impl Subscriber<Bytes> for Lingering {
    type Acker = NoAck;
    type Deliveries = Deliveries;

    async fn subscribe(&self, filter: &str) -> Result<Deliveries> {
        let inner = Subscriber::<Bytes>::subscribe(&self.messages, filter).await?;
        Ok(Deliveries { inner: Some(Box::pin(inner)), ghosts: Arc::clone(&self.ghosts) })
    }
}

pub(crate) struct Deliveries {
    /// There until the subscription is dropped.
    inner: Option<Inner>,
    ghosts: Arc<Mutex<Vec<Inner>>>,
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.ghosts.lock().unwrap_or_else(PoisonError::into_inner).extend(self.inner.take());
    }
}

impl Stream for Deliveries {
    type Item = <<Mem as Subscriber<Bytes>>::Deliveries as Stream>::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.inner.as_mut().map_or(Poll::Ready(None), |inner| inner.as_mut().poll_next(cx))
    }
}

/// Opens it.
pub(crate) struct Ghosts;

impl Fixture for Ghosts {
    type Payload = Bytes;
    type Bus = Lingering;
    const NAME: &'static str = "double with ghosts";
    const PAUSED: bool = true;

    fn capabilities() -> Capabilities {
        Capabilities::new("it is in every queue", "per publisher")
    }

    async fn open() -> Result<Lingering> {
        Ok(Lingering { messages: Mem::new(), ghosts: Arc::default() })
    }

    fn payload(number: u64) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    fn number(payload: &Bytes) -> u64 {
        u64::from_be_bytes(payload.as_ref().try_into().expect("a number was published"))
    }
}
