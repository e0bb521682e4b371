//! Tests of `Mem` through its public names.

mod close;
mod full;
mod group;
mod matching;
mod publish;
mod request;
mod types;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use flux_core::{Result, Subscriber};
use flux_mem::{Mem, MemDeliveries};
use futures_util::StreamExt as _;

/// Subscribes to payloads of type `T`.
async fn subscribe<T: Clone + Send + 'static>(bus: &Mem, filter: &str) -> MemDeliveries<T> {
    bus.subscribe(filter).await.expect("a valid filter on an open bus")
}

/// The next payload.
async fn payload<T: Clone + Send + 'static>(deliveries: &mut MemDeliveries<T>) -> T {
    deliveries.next().await.expect("not closed").expect("a message").message.payload
}

/// Polls once: for what must not be ready yet.
fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// What the stream has without waiting.
fn ready<T: Clone + Send + 'static>(deliveries: &mut MemDeliveries<T>) -> Option<Result<T>> {
    match poll_once(Pin::new(&mut deliveries.next())) {
        Poll::Ready(item) => item.map(|item| Ok(item?.message.payload)),
        Poll::Pending => None,
    }
}
