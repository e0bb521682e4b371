//! The next item of a stream, without a dependency on a crate of combinators.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;

/// Waits for the next item; `None` when the stream has ended.
///
/// # Cancel safety
/// A dropped future has taken nothing from the stream.
pub async fn next<S: Stream + ?Sized>(mut stream: Pin<&mut S>) -> Option<S::Item> {
    poll_fn(|cx| stream.as_mut().poll_next(cx)).await
}
