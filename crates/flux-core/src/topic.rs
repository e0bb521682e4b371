//! A publisher and a subscriber that belong together.

use std::sync::Arc;

use crate::{Backlog, Forwarded, Instance, Message, Publisher, QueueSubscriber, Result, Subscriber};

/// Two halves as one transport: publishes through `P`, subscribes through `S`.
///
/// For a service that sends over one transport and receives over another, and for tests that watch one side.
///
/// ```
/// # use flux_core::{Publisher, Subscriber, Topic};
/// # fn doc<P: Publisher<u8>, S: Subscriber<u8>>(log: P, bus: S) {
/// let topic = Topic::new(log, bus);
/// fn both<T: Publisher<u8> + Subscriber<u8>>(_: T) {}
/// both(topic);
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Topic<P, S> {
    /// Where messages go.
    pub publisher: P,
    /// Where messages come from.
    pub subscriber: S,
}

impl<P, S> Topic<P, S> {
    /// Joins the two.
    pub const fn new(publisher: P, subscriber: S) -> Self {
        Self { publisher, subscriber }
    }
}

impl<T: Send, P: Publisher<T>, S: Send + Sync> Publisher<T> for Topic<P, S> {
    type Receipt = P::Receipt;

    async fn send(&self, message: Message<T>) -> Result<P::Receipt> {
        self.publisher.send(message).await
    }

    async fn forward(&self, message: Message<Forwarded<T>>) -> Result<()> {
        self.publisher.forward(message).await
    }

    async fn flush(&self) -> Result<()> {
        self.publisher.flush().await
    }
}

impl<T, P: Send + Sync, S: Subscriber<T>> Subscriber<T> for Topic<P, S> {
    type Acker = S::Acker;
    type Deliveries = S::Deliveries;

    async fn subscribe(&self, filter: &str) -> Result<S::Deliveries> {
        self.subscriber.subscribe(filter).await
    }

    fn backlog(deliveries: &S::Deliveries) -> Option<Arc<dyn Backlog>> {
        S::backlog(deliveries)
    }
}

impl<T, P: Send + Sync, S: QueueSubscriber<T>> QueueSubscriber<T> for Topic<P, S> {
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<S::Deliveries> {
        self.subscriber.subscribe_group(filter, group).await
    }

    fn instance(&self) -> Option<Instance> {
        self.subscriber.instance()
    }
}
