//! Consumers as a program holds them.

use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flux_core::{
    Backlog, Batch, BoxFuture, Consumer, Error, ErrorKind, Instance, Outstanding, QueueSubscriber, Result,
    SubjectFilter, Subscriber, Telemetry, Typed,
};

use super::config::ConsumerConfig;
use super::deliveries::{StreamDeliveries, fetch};
use super::state::{ConsumerId, State};
use super::{ConsumerInfo, Inner, MemAcker, MemStream};

/// A consumer of a [`MemStream`]: its own place in the stream, and what it has delivered and not seen settled.
///
/// Clones and subscriptions of one consumer share its messages out among them. An ephemeral consumer is gone with the last of
/// them, a durable one stays.
pub struct MemConsumer {
    pub(super) inner: Arc<Inner>,
    pub(super) id: ConsumerId,
}

impl MemConsumer {
    pub(super) fn new(inner: Arc<Inner>, id: ConsumerId) -> Self {
        inner.with(|state| {
            if let Some((consumer, _, _)) = state.consumer(id) {
                consumer.handles += 1;
            }
        });
        Self { inner, id }
    }

    /// The same consumer for values.
    pub fn typed<C>(self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self, codec, Telemetry::new("mem"))
    }

    /// How far it is.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] when it was deleted.
    pub fn info(&self) -> Result<ConsumerInfo> {
        self.inner.now(|state, now| {
            let (consumer, _, after) = state.consumer(self.id).ok_or_else(deleted)?;
            consumer.collect_due(now, after);
            Ok(ConsumerInfo {
                name: consumer.name.clone(),
                pending: consumer.pending,
                ack_pending: consumer.ack_pending(),
                delivered: consumer.delivered,
                redelivered: consumer.redelivered,
                given_up: consumer.given_up,
            })
        })
    }
}

pub(super) fn deleted() -> Error {
    Error::new(ErrorKind::Closed, "the consumer was deleted")
}

impl Clone for MemConsumer {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.inner), self.id)
    }
}

impl Drop for MemConsumer {
    fn drop(&mut self) {
        self.inner.with(|state| {
            let Some((consumer, ..)) = state.consumer(self.id) else { return };
            consumer.handles -= 1;
            if consumer.handles == 0 && consumer.config.durable.is_none() {
                state.remove_consumer(self.id);
            }
        });
    }
}

impl Subscriber<Bytes> for MemConsumer {
    type Acker = MemAcker;
    type Deliveries = StreamDeliveries;

    /// The filter is `>`, or one of those the consumer was made with: what it takes is settled when it is made.
    async fn subscribe(&self, filter: &str) -> Result<StreamDeliveries> {
        SubjectFilter::new(filter)?;
        self.inner.with(|state| {
            let (consumer, ..) = state.consumer(self.id).ok_or_else(deleted)?;
            if filter != ">" && !consumer.config.filters.iter().any(|known| known == filter) {
                let message = format!("consumer `{}` has no filter `{filter}`; subscribe to `>`", consumer.name);
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            Ok(())
        })?;
        Ok(StreamDeliveries::new(self.clone()))
    }

    fn backlog(deliveries: &StreamDeliveries) -> Option<Arc<dyn Backlog>> {
        Some(deliveries.backlog())
    }
}

impl Consumer<Bytes> for MemConsumer {
    type Acker = MemAcker;

    async fn fetch(&self, max: usize, wait: Duration) -> Result<Batch<Bytes, MemAcker>> {
        fetch(self, max, wait).await
    }
}

impl Subscriber<Bytes> for MemStream {
    type Acker = MemAcker;
    type Deliveries = StreamDeliveries;

    async fn subscribe(&self, filter: &str) -> Result<StreamDeliveries> {
        SubjectFilter::new(filter)?;
        Ok(StreamDeliveries::new(self.consumer(ConsumerConfig::ephemeral().with_filter(filter))?))
    }

    fn backlog(deliveries: &StreamDeliveries) -> Option<Arc<dyn Backlog>> {
        Some(deliveries.backlog())
    }
}

impl QueueSubscriber<Bytes> for MemStream {
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<StreamDeliveries> {
        SubjectFilter::new(filter)?;
        Ok(StreamDeliveries::new(self.consumer(ConsumerConfig::durable(group).with_filter(filter))?))
    }

    fn instance(&self) -> Option<Instance> {
        Some(Instance::of(&self.0))
    }
}

/// Tells how much a consumer has still to see settled. Does not keep the consumer.
pub(super) struct ConsumerBacklog {
    pub(super) inner: Arc<Inner>,
    pub(super) id: ConsumerId,
}

impl Backlog for ConsumerBacklog {
    fn outstanding(&self) -> BoxFuture<'_, Result<Outstanding>> {
        let unsettled = self.inner.now(|state, _| state.consumer(self.id).map(|(consumer, ..)| consumer.unsettled()));
        Box::pin(ready(Ok(Outstanding::Unsettled(unsettled.unwrap_or(0)))))
    }

    fn oldest(&self) -> BoxFuture<'_, Result<Option<Duration>>> {
        let oldest = |state: &mut State| state.consumer(self.id).and_then(|(consumer, log, _)| consumer.oldest(log));
        let age = self.inner.now(|state, now| Some(now.saturating_duration_since(oldest(state)?)));
        Box::pin(ready(Ok(age)))
    }
}

impl fmt::Debug for MemConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemConsumer").field("stream", &self.inner.name).field("id", &self.id).finish()
    }
}
