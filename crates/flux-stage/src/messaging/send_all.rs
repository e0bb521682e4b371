//! One message to several publishers, all of which must take it.

use flux_core::{Error, ErrorKind, Forwarded, Message, Publisher, Result};

use crate::FanOutError;
use crate::concurrent::{OnFailure, Window, all};

/// Sends each message to every publisher at the same time, and waits for all. Receipts come in the order of the publishers.
///
/// It is not atomic: when one fails, the others may have sent. All are tried; the error has the kind of the first failure, and
/// [`FanOutError`] with every failure as its source. Sending again is then safe where the id lets the receiver deduplicate.
///
/// ```
/// use flux_core::{Publisher, Result};
/// use flux_mem::Mem;
/// use flux_stage::SendAll;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let (here, there) = (Mem::new(), Mem::new());
/// let receipts = SendAll::new([here, there]).publish("orders", 7_u32).await?;
/// assert_eq!(receipts.len(), 2);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SendAll<P> {
    publishers: Vec<P>,
}

impl<P> SendAll<P> {
    /// To each of these.
    pub fn new(publishers: impl IntoIterator<Item = P>) -> Self {
        Self { publishers: publishers.into_iter().collect() }
    }
}

/// The first failure's kind, with all of them as the source.
pub(super) fn failed(operation: &'static str, failures: FanOutError<Error>) -> Error {
    let first = failures.failures().first().map(|failure| &failure.error);
    let kind = first.map_or(ErrorKind::Unavailable, Error::kind);
    let retryable = failures.failures().iter().any(|failure| failure.error.is_retryable());
    Error::new(kind, "").with_operation(operation).with_retryable(retryable).with_source(failures)
}

impl<T: Clone + Send, P: Publisher<T>> Publisher<T> for SendAll<P> {
    type Receipt = Vec<P::Receipt>;

    async fn send(&self, message: Message<T>) -> Result<Self::Receipt> {
        let messages = std::iter::repeat_n(message, self.publishers.len());
        let futures = self.publishers.iter().zip(messages).map(|(publisher, message)| publisher.send(message));
        all(Window::new(futures, None), OnFailure::Collect).await.map_err(|failures| failed("send", failures))
    }

    async fn forward(&self, message: Message<Forwarded<T>>) -> Result<()> {
        let messages = std::iter::repeat_n(message, self.publishers.len());
        let futures = self.publishers.iter().zip(messages).map(|(publisher, message)| publisher.forward(message));
        let sent = all(Window::new(futures, None), OnFailure::Collect).await;
        sent.map(drop).map_err(|failures| failed("forward", failures))
    }

    async fn flush(&self) -> Result<()> {
        let futures = self.publishers.iter().map(Publisher::flush);
        let flushed = all(Window::new(futures, None), OnFailure::Collect).await;
        flushed.map(drop).map_err(|failures| failed("flush", failures))
    }
}
