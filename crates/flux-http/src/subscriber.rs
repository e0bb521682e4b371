//! Subscribing: messages that were posted, each with the way back of its outcome.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flux_core::{Delivery, Error, ErrorKind, Instance, Metadata, QueueSubscriber, Result, SubjectFilter, Subscriber};
use futures_core::Stream;

use crate::registry::{Arrivals, Role};
use crate::{HttpAcker, HttpServer};

/// # Delivery
/// Every subscription that matches gets the message, or none does. The sender gets the worst of their outcomes, and may send
/// again: then all get it again. A message whose sender went away while it waited in the queue is not delivered.
///
/// # Ordering
/// None.
///
/// # Errors
/// [`ErrorKind::InvalidSubject`], and [`ErrorKind::Closed`] once the server drains. None in the stream.
impl Subscriber<Bytes> for HttpServer {
    type Acker = HttpAcker;
    type Deliveries = HttpDeliveries;

    async fn subscribe(&self, filter: &str) -> Result<HttpDeliveries> {
        let arrivals = self.add(filter, Role::Subscriber, None);
        arrivals.map(HttpDeliveries).map_err(|error| error.with_operation("subscribe"))
    }
}

/// # Delivery
/// As without a group, to one member of it, in turns. A group has its members in one server: who balances among several processes
/// stands before them.
///
/// # Errors
/// As without a group, and [`ErrorKind::InvalidInput`] for a group without a name.
impl QueueSubscriber<Bytes> for HttpServer {
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<HttpDeliveries> {
        let arrivals = match group {
            "" => Err(Error::new(ErrorKind::InvalidInput, "a group has a name")),
            _ => self.add(filter, Role::Subscriber, Some(group)),
        };
        arrivals.map(HttpDeliveries).map_err(|error| error.with_operation("subscribe"))
    }

    fn instance(&self) -> Option<Instance> {
        Some(Instance::of(&self.0))
    }
}

/// The deliveries of one subscription. Dropped, it unsubscribes; senders whose messages wait in it are told 503.
pub struct HttpDeliveries(Arrivals);

impl HttpDeliveries {
    /// What it is subscribed to.
    #[must_use]
    pub const fn filter(&self) -> &SubjectFilter {
        self.0.filter()
    }
}

impl Stream for HttpDeliveries {
    type Item = Result<Delivery<Bytes, HttpAcker>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(cx).map(|arrival| {
            let arrival = arrival?;
            Some(Ok(Delivery::new(arrival.message, Metadata::default(), HttpAcker::new(arrival.answer))))
        })
    }
}

impl fmt::Debug for HttpDeliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpDeliveries").field("filter", self.filter()).finish_non_exhaustive()
    }
}
