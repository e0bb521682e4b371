//! Subscribing, alone or as a member of a queue group.

use std::fmt;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_nats::connection::State;
use bytes::Bytes;
use flux_core::{
    Delivery, Error, ErrorKind, Instance, Metadata, NoAck, QueueSubscriber, Result, SubjectFilter, Subscriber,
};
use futures_core::Stream;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::monitor::Watched;
use crate::wire::Subjects;
use crate::{Nats, error};

/// How long a connected server may take to confirm a subscription before it counts as live without.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(1);

/// # Delivery
/// At most once, and only while the subscription is there. It is live when `subscribe` returns, for publishers on other
/// connections as well; while the connection is down, `subscribe` waits for it. What comes faster than it is taken is dropped
/// once [`subscription_capacity`](crate::NatsConfig::subscription_capacity) messages wait; see [`Monitor::slow_consumers`](crate::Monitor::slow_consumers).
///
/// # Ordering
/// In the order of each publisher.
///
/// # Errors
/// [`ErrorKind::InvalidSubject`] and [`ErrorKind::Closed`]; [`ErrorKind::Rejected`] when the server denies the subscription, from
/// `subscribe` or, when the client's event comes too late, in the stream. Known only to a bus whose client reports its events; see
/// [`Monitor`](crate::Monitor). In the stream, what another client published and flux would not: a subject or a header that is not valid.
impl Subscriber<Bytes> for Nats {
    type Acker = NoAck;
    type Deliveries = NatsDeliveries;

    async fn subscribe(&self, filter: &str) -> Result<NatsDeliveries> {
        self.join(filter, None).await.map(NatsDeliveries).map_err(|error| error.with_operation("subscribe"))
    }
}

/// The server shares the messages out among the members, at random.
impl QueueSubscriber<Bytes> for Nats {
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<NatsDeliveries> {
        self.join(filter, Some(group)).await.map(NatsDeliveries).map_err(|error| error.with_operation("subscribe"))
    }

    fn instance(&self) -> Option<Instance> {
        // The clones of a client share their statistics, and it shows nothing else by which it can be told from another.
        Some(Instance::of(&self.client().statistics()))
    }
}

impl Nats {
    /// A subscription that is live.
    pub(crate) async fn join(&self, filter: &str, group: Option<&str>) -> Result<Subscription> {
        let filter = SubjectFilter::new(filter)?;
        let native = async_nats::Subject::from(filter.as_str());
        let denial = self.monitor().denial(&filter);
        let subscriber = match group {
            Some(group) => self.client().queue_subscribe(native, group.to_owned()).await,
            None => self.client().subscribe(native).await,
        };
        let subscriber = subscriber.map_err(error::from_subscribe)?;
        let watched = self.monitor().watch(&subscriber, &filter);
        let subjects = Subjects::new();
        let mut subscription =
            Subscription { subscriber, filter, subjects, denial: Some(denial), over: false, _watched: watched };
        self.confirm().await?;
        // The server has said so before it answered, but the client's events take a way of their own.
        yield_now().await;
        subscription.check_denial()?;
        Ok(subscription)
    }

    /// Waits until the server knows of the subscriptions made so far.
    pub(crate) async fn confirm(&self) -> Result<()> {
        let mut answer = pin!(self.round_trip());
        loop {
            match timeout(CONFIRMED_WITHIN, answer.as_mut()).await {
                Ok(answered) => return answered,
                // Permissions can forbid the round trip while they allow the subscription.
                Err(_) if self.client().connection_state() == State::Connected => return Ok(()),
                Err(_) => {}
            }
        }
    }
}

/// A subscription of the client's, read as flux has it.
pub(crate) struct Subscription {
    pub(crate) subscriber: async_nats::Subscriber,
    pub(crate) filter: SubjectFilter,
    pub(crate) subjects: Subjects,
    /// `None` once nothing more will be heard of it.
    denial: Option<oneshot::Receiver<String>>,
    /// The server has denied it: nothing will come.
    pub(crate) over: bool,
    _watched: Watched,
}

impl Subscription {
    fn check_denial(&mut self) -> Result<()> {
        match self.denial.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Ok(reason)) => Err(denied(reason)),
            _ => Ok(()),
        }
    }

    /// Ready when the server denies the subscription after all. Asked when nothing else is there.
    pub(crate) fn poll_denial(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let Some(denial) = &mut self.denial else { return Poll::Pending };
        let told = ready!(Pin::new(denial).poll(cx));
        self.denial = None;
        match told {
            Ok(reason) => {
                self.over = true;
                Poll::Ready(denied(reason))
            }
            Err(_) => Poll::Pending,
        }
    }
}

fn denied(reason: String) -> Error {
    Error::new(ErrorKind::Rejected, reason)
}

/// The deliveries of one subscription. Dropped, it unsubscribes, and what was not taken is gone.
pub struct NatsDeliveries(Subscription);

impl NatsDeliveries {
    /// What it is subscribed to.
    #[must_use]
    pub const fn filter(&self) -> &SubjectFilter {
        &self.0.filter
    }

    /// Unsubscribes; the stream hands over what had arrived, and ends.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn drain(&mut self) -> Result<()> {
        self.0.subscriber.drain().await.map_err(|error| error::closed(error).with_operation("drain"))
    }
}

impl Stream for NatsDeliveries {
    type Item = Result<Delivery<Bytes>>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Subscription { subscriber, subjects, over, .. } = &mut self.0;
        if *over {
            return Poll::Ready(None);
        }
        match Pin::new(subscriber).poll_next(cx) {
            Poll::Ready(Some(native)) => Poll::Ready(Some(match subjects.message(native) {
                Ok(message) => Ok(Delivery::new(message, Metadata::default(), NoAck)),
                Err(error) => Err(error.with_operation("receive")),
            })),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => self.0.poll_denial(cx).map(|error| Some(Err(error.with_operation("subscribe")))),
        }
    }
}

impl fmt::Debug for NatsDeliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsDeliveries").field("filter", self.filter()).finish_non_exhaustive()
    }
}
