//! One message to several publishers, one of which must take it.

use flux_core::{Message, Publisher, Result};

use super::send_all::failed;
use crate::concurrent::{Window, each};
use crate::{FanOutError, IndexedError, NoStages};

/// Sends each message to every publisher at the same time, and succeeds when at least one has sent it.
///
/// The receipt has a result for each publisher, in their order: look at it, nobody else does. When all have failed the error is
/// that of [`SendAll`](crate::SendAll).
#[derive(Debug, Clone)]
pub struct BestEffort<P> {
    publishers: Vec<P>,
}

impl<P> BestEffort<P> {
    /// To each of these.
    ///
    /// # Errors
    /// When there are none: nothing would ever be sent.
    pub fn new(publishers: impl IntoIterator<Item = P>) -> Result<Self, NoStages> {
        NoStages::unless_some(publishers).map(|publishers| Self { publishers })
    }
}

impl<T: Clone + Send, P: Publisher<T>> Publisher<T> for BestEffort<P> {
    type Receipt = Vec<Result<P::Receipt>>;

    async fn send(&self, message: Message<T>) -> Result<Self::Receipt> {
        let messages = std::iter::repeat_n(message, self.publishers.len());
        let futures = self.publishers.iter().zip(messages).map(|(publisher, message)| publisher.send(message));
        some("send", each(Window::new(futures, None)).await)
    }

    async fn flush(&self) -> Result<()> {
        let futures = self.publishers.iter().map(Publisher::<T>::flush);
        some("flush", each(Window::new(futures, None)).await).map(drop)
    }
}

/// The results, unless all are errors.
fn some<R>(operation: &'static str, results: Vec<Result<R>>) -> Result<Vec<Result<R>>> {
    if results.iter().any(Result::is_ok) {
        return Ok(results);
    }
    let of = results.len();
    let errors = results.into_iter().filter_map(Result::err).enumerate();
    let failures = errors.map(|(index, error)| IndexedError { index, error }).collect();
    Err(failed(operation, FanOutError::new(failures, of)))
}
