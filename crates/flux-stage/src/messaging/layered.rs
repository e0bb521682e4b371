//! Stages around a publisher, as a publisher.

use std::future::Future;

use flux_core::{Error, Forwarded, Message, Publisher, Result, Stage};

/// A publisher whose messages pass through stages: retry, breaker, limit, whatever wraps a stage.
///
/// ```
/// use flux_core::{Publisher, Result};
/// use flux_mem::Mem;
/// use flux_stage::{Layered, Peek};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let bus = Layered::new(Mem::new(), |sending| Peek::new(sending, |message: &flux_core::Message<u32>| {
///     println!("{}", message.subject);
/// }));
/// bus.publish("orders", 7_u32).await?;
/// # Ok(()) }
/// ```
///
/// Messages that are forwarded as they came, and flushes, go past the stages.
#[derive(Debug, Clone)]
pub struct Layered<P, S> {
    publisher: P,
    stage: S,
}

impl<P: Clone, S> Layered<P, S> {
    /// `publisher` behind what `wrap` puts around it.
    pub fn new(publisher: P, wrap: impl FnOnce(Sending<P>) -> S) -> Self {
        let stage = wrap(Sending { publisher: publisher.clone() });
        Self { publisher, stage }
    }
}

impl<T, P, S> Publisher<T> for Layered<P, S>
where
    T: Send,
    P: Publisher<T>,
    S: Stage<Message<T>, Error: Into<Error>>,
{
    type Receipt = S::Out;

    async fn send(&self, message: Message<T>) -> Result<S::Out> {
        self.stage.process(message).await.map_err(Into::into)
    }

    fn forward(&self, message: Message<Forwarded<T>>) -> impl Future<Output = Result<()>> + Send {
        self.publisher.forward(message)
    }

    fn flush(&self) -> impl Future<Output = Result<()>> + Send {
        self.publisher.flush()
    }
}

/// A publisher as a stage from message to receipt.
#[derive(Debug, Clone)]
pub struct Sending<P> {
    publisher: P,
}

impl<P> Sending<P> {
    /// `publisher` as a stage.
    pub const fn new(publisher: P) -> Self {
        Self { publisher }
    }
}

impl<T, P: Publisher<T>> Stage<Message<T>> for Sending<P> {
    type Out = P::Receipt;
    type Error = Error;

    fn process(&self, input: Message<T>) -> impl Future<Output = Result<P::Receipt>> + Send {
        self.publisher.send(input)
    }
}
