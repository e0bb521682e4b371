//! A consumer, as a program holds it: subscribed to, or fetched from.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flux_core::{
    Backlog, Batch, Consumer, Error, ErrorKind, Instance, QueueSubscriber, Result, SubjectFilter, Subscriber,
    Telemetry, Typed,
};
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::acker::JsAcker;
use crate::config::{ConsumerConfig, check_name};
use crate::inbox::Arrival;
use crate::jetstream::{during, gone};
use crate::keeper::lock;
use crate::provision::FoundConsumer;
use crate::standing::Floor;
use crate::subscriber::{JsDeliveries, Session};
use crate::wire::{Ask, Status};
use crate::{JetStream, JsStream};

/// How long after its time the server's word that a fetch is over may come.
const GRACE: Duration = Duration::from_secs(1);

/// A consumer of a [`JsStream`]: its own place in the stream, and what it has delivered and not seen settled.
///
/// Clones and subscriptions of one consumer share its messages out among them. An ephemeral consumer is gone with the last of
/// them, a durable one stays.
#[derive(Clone)]
pub struct JsConsumer(Arc<Inner>);

struct Inner {
    stream: JsStream,
    config: ConsumerConfig,
    /// An ephemeral consumer that was made anew has another name.
    name: Mutex<Arc<str>>,
    /// Everything before was settled when this handle was made, or is not for this consumer.
    floor: Floor,
}

/// How far a consumer is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// The consumer's name; ephemeral ones are given one.
    pub name: String,
    /// Messages that wait for their first delivery.
    pub pending: u64,
    /// Messages that were delivered and are not settled.
    pub ack_pending: u64,
    /// Deliveries made, repeated ones included.
    pub delivered: u64,
    /// Unsettled messages that were delivered more than once.
    pub redelivered: u64,
    /// Requests for messages that are open.
    pub waiting: u64,
}

impl JsConsumer {
    pub(crate) fn new(stream: JsStream, config: ConsumerConfig, found: &FoundConsumer) -> Self {
        let (name, floor) = (Mutex::new(found.name.as_str().into()), found.floor());
        Self(Arc::new(Inner { stream, config, name, floor }))
    }

    pub(crate) fn downgrade(&self) -> WeakConsumer {
        WeakConsumer(Arc::downgrade(&self.0))
    }

    /// The same consumer for values.
    pub fn typed<C>(self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self, codec, Telemetry::new("nats"))
    }

    /// Its name. An ephemeral one that had to be made anew has another one than before.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.0.name.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn rename(&self, name: &str) {
        *self.0.name.lock().unwrap_or_else(PoisonError::into_inner) = name.into();
    }

    /// The stream it is of.
    #[must_use]
    pub fn stream(&self) -> &JsStream {
        &self.0.stream
    }

    pub(crate) fn floor(&self) -> Floor {
        self.0.floor
    }

    /// The floor as the server has it now; `None` when it cannot be asked.
    pub(crate) async fn find_floor(&self) -> Option<Floor> {
        let found = self.jetstream().find_consumer(self.0.stream.name(), &self.name()).await;
        found.ok().flatten().map(|found| found.floor())
    }

    pub(crate) fn config(&self) -> &ConsumerConfig {
        &self.0.config
    }

    pub(crate) fn jetstream(&self) -> &JetStream {
        self.0.stream.jetstream()
    }

    /// How far it is.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] when it was deleted; else what the server says.
    pub async fn info(&self) -> Result<ConsumerInfo> {
        let name = self.name();
        let found = self.jetstream().find_consumer(self.0.stream.name(), &name).await?;
        let found = found.ok_or_else(|| gone("consumer", &name))?;
        Ok(ConsumerInfo {
            name: found.name,
            pending: found.num_pending,
            ack_pending: found.num_ack_pending,
            delivered: found.delivered.consumer_seq,
            redelivered: found.num_redelivered,
            waiting: found.num_waiting,
        })
    }

    /// When the oldest message that is not settled was stored. All before the floor is settled, and what follows it is not.
    pub(crate) async fn oldest(&self) -> Result<Option<SystemTime>> {
        let name = self.name();
        let found = self.jetstream().find_consumer(self.0.stream.name(), &name).await?;
        let found = found.ok_or_else(|| gone("consumer", &name))?;
        if found.num_pending + found.num_ack_pending == 0 {
            return Ok(None);
        }
        let next = found.ack_floor.stream_seq + 1;
        let everything = [">".to_owned()];
        let filters = if self.config().filters.is_empty() { &everything[..] } else { &self.config().filters };
        let mut oldest = None;
        for filter in filters {
            let stored = self.0.stream.stored_at(next, filter).await?;
            oldest = [oldest, stored].into_iter().flatten().min();
        }
        Ok(oldest)
    }

    fn check_filter(&self, filter: &str) -> Result<()> {
        SubjectFilter::new(filter)?;
        if filter == ">" || self.config().filters.iter().any(|known| known == filter) {
            return Ok(());
        }
        let message = format!("consumer `{}` has no filter `{filter}`; subscribe to `>`", self.name());
        Err(Error::new(ErrorKind::InvalidInput, message))
    }

    async fn fetch_batch(&self, max: usize, wait: Duration) -> Result<Batch<Bytes, JsAcker>> {
        let mut session = Session::open(self).await?;
        let ask = Ask { batch: max, expires: wait, group: self.config().group.as_ref(), ..Ask::default() };
        poll_fn(|cx| lock(&session.inbox).poll_ask(cx, &ask)).await?;
        let mut batch = Vec::new();
        let mut late = std::pin::pin!(sleep(wait + GRACE));
        while batch.len() < max {
            let arrival = poll_fn(|cx| {
                let arrival = lock(&session.inbox).poll_arrival(cx);
                match arrival {
                    Poll::Ready(arrival) => Poll::Ready(Some(arrival)),
                    Poll::Pending => late.as_mut().poll(cx).map(|()| None),
                }
            });
            match arrival.await {
                Some(Arrival::Message(native)) => batch.push(session.delivery(native)),
                Some(Arrival::Status(Status::Heartbeat)) => {}
                Some(Arrival::Status(Status::Lost { reason })) if batch.is_empty() => {
                    return Err(self.lost(reason).await);
                }
                Some(Arrival::End) if batch.is_empty() => return Err(Error::new(ErrorKind::Closed, "")),
                Some(Arrival::Status(_) | Arrival::End) | None => break,
            }
        }
        Ok(batch)
    }

    /// Why nothing can be fetched: the consumer was deleted, or the server cannot act.
    async fn lost(&self, reason: String) -> Error {
        match self.info().await {
            Err(error) if error.kind() == ErrorKind::Closed => error,
            _ => Error::new(ErrorKind::Unavailable, reason),
        }
    }
}

/// Knows a consumer without keeping it.
pub(crate) struct WeakConsumer(Weak<Inner>);

impl WeakConsumer {
    pub(crate) fn upgrade(&self) -> Option<JsConsumer> {
        self.0.upgrade().map(JsConsumer)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.config.name().is_some() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let (stream, name) = (self.stream.clone(), self.name.lock().unwrap_or_else(PoisonError::into_inner).clone());
        runtime.spawn(async move {
            // If this fails, the server deletes it when it was not used for a while.
            let _ = stream.jetstream().delete_consumer(stream.name(), &name).await;
        });
    }
}

impl Subscriber<Bytes> for JsConsumer {
    type Acker = JsAcker;
    type Deliveries = JsDeliveries;

    /// The filter is `>`, or one of those the consumer was made with: what it takes is settled when it is made.
    async fn subscribe(&self, filter: &str) -> Result<JsDeliveries> {
        self.check_filter(filter)?;
        JsDeliveries::open(self.clone()).await.map_err(during("subscribe"))
    }

    fn backlog(deliveries: &JsDeliveries) -> Option<Arc<dyn Backlog>> {
        deliveries.backlog()
    }
}

/// A fetch that is dropped gives back what it had asked for; what it had taken is delivered again after its ack wait.
impl Consumer<Bytes> for JsConsumer {
    type Acker = JsAcker;

    async fn fetch(&self, max: usize, wait: Duration) -> Result<Batch<Bytes, JsAcker>> {
        if max == 0 {
            return Err(Error::new(ErrorKind::InvalidInput, "a batch has room for at least 1").with_operation("fetch"));
        }
        self.fetch_batch(max, wait).await.map_err(during("fetch"))
    }
}

impl Subscriber<Bytes> for JsStream {
    type Acker = JsAcker;
    type Deliveries = JsDeliveries;

    async fn subscribe(&self, filter: &str) -> Result<JsDeliveries> {
        SubjectFilter::new(filter)?;
        let consumer = self.consumer(self.defaults().renamed(None, filter)).await?;
        JsDeliveries::open(consumer).await.map_err(during("subscribe"))
    }

    fn backlog(deliveries: &JsDeliveries) -> Option<Arc<dyn Backlog>> {
        deliveries.backlog()
    }
}

impl QueueSubscriber<Bytes> for JsStream {
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<JsDeliveries> {
        SubjectFilter::new(filter)?;
        check_name("queue group", group)?;
        let consumer = self.consumer(self.defaults().renamed(Some(group), filter)).await?;
        JsDeliveries::open(consumer).await.map_err(during("subscribe"))
    }

    fn instance(&self) -> Option<Instance> {
        // The prefix names the domain, and each has streams of its own.
        let jetstream = self.jetstream();
        jetstream.nats().instance().map(|client| client.for_name(jetstream.prefix()).for_name(self.name()))
    }
}

impl fmt::Debug for JsConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsConsumer").field("stream", &self.0.stream.name()).field("name", &self.name()).finish()
    }
}
