//! Publishers as sinks, and sinks as publishers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use flux_core::{BoxFuture, Error, ErrorKind, Message, Publisher, Result};
use futures_sink::Sink;
use futures_util::SinkExt as _;
use futures_util::lock::Mutex;

/// A publisher as a sink of messages: one is sent at a time, and `flush` waits until the publisher has flushed too.
///
/// Receipts are dropped. A `close` flushes; the publisher stays open for others.
///
/// ```
/// use flux_core::{Message, subject};
/// use flux_mem::Mem;
/// use flux_stage::PublishSink;
/// use futures_util::{StreamExt, stream};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> flux_core::Result<()> {
/// let sink = PublishSink::new(Mem::new());
/// stream::iter([1_u32, 2]).map(|n| Ok(Message::to(subject!("numbers"), n))).forward(sink).await?;
/// # Ok(()) }
/// ```
///
/// # Cancel safety
/// Dropping the sink drops the message that is being sent, as dropping the future of
/// [`Publisher::send`] does.
pub struct PublishSink<P> {
    publisher: Arc<P>,
    busy: Option<BoxFuture<'static, Result<()>>>,
    flushing: bool,
}

impl<P> PublishSink<P> {
    /// `publisher` as a sink.
    pub fn new(publisher: P) -> Self {
        Self { publisher: Arc::new(publisher), busy: None, flushing: false }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(busy) = &mut self.busy else { return Poll::Ready(Ok(())) };
        let result = ready!(busy.as_mut().poll(cx));
        self.busy = None;
        Poll::Ready(result)
    }
}

impl<T, P> Sink<Message<T>> for PublishSink<P>
where
    T: Send + 'static,
    P: Publisher<T> + 'static,
{
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_idle(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message<T>) -> Result<()> {
        if self.busy.is_some() {
            return Err(Error::new(ErrorKind::Full, "a message is being sent: wait until the sink is ready"));
        }
        let publisher = Arc::clone(&self.publisher);
        self.busy = Some(Box::pin(async move { publisher.send(message).await.map(drop) }));
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            let idle = ready!(self.poll_idle(cx));
            if std::mem::take(&mut self.flushing) || idle.is_err() {
                return Poll::Ready(idle);
            }
            let publisher = Arc::clone(&self.publisher);
            self.busy = Some(Box::pin(async move { publisher.flush().await }));
            self.flushing = true;
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_flush(cx)
    }
}

impl<P> fmt::Debug for PublishSink<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishSink").field("busy", &self.busy.is_some()).finish_non_exhaustive()
    }
}

/// A sink of messages as a publisher. Senders take turns; `send` returns when the sink has taken the message, and
/// `flush` when it has flushed.
///
/// # Errors
/// What the sink says, as [`ErrorKind::Unavailable`] with the sink's error as source.
pub struct SinkPublisher<K> {
    sink: Mutex<Pin<Box<K>>>,
}

impl<K> SinkPublisher<K> {
    /// `sink` as a publisher.
    pub fn new(sink: K) -> Self {
        Self { sink: Mutex::new(Box::pin(sink)) }
    }
}

impl<T, K> Publisher<T> for SinkPublisher<K>
where
    T: Send,
    K: Sink<Message<T>, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send,
{
    type Receipt = ();

    async fn send(&self, message: Message<T>) -> Result<()> {
        self.sink.lock().await.feed(message).await.map_err(|error| failed("send", error))
    }

    async fn flush(&self) -> Result<()> {
        self.sink.lock().await.flush().await.map_err(|error| failed("flush", error))
    }
}

fn failed(operation: &'static str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Unavailable, "").with_operation(operation).with_source(error)
}

impl<K> fmt::Debug for SinkPublisher<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SinkPublisher")
    }
}
