//! Subscribing: messages that were posted, each with the way back of its outcome.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flux_core::{Delivery, Metadata, Result, SubjectFilter, Subscriber};
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
/// [`ErrorKind::InvalidSubject`](flux_core::ErrorKind::InvalidSubject), and [`ErrorKind::Closed`](flux_core::ErrorKind::Closed)
/// once the server drains. None in the stream.
impl Subscriber<Bytes> for HttpServer {
    type Acker = HttpAcker;
    type Deliveries = HttpDeliveries;

    async fn subscribe(&self, filter: &str) -> Result<HttpDeliveries> {
        let arrivals = self.add(filter, Role::Subscriber);
        arrivals.map(HttpDeliveries).map_err(|error| error.with_operation("subscribe"))
    }
}

/// The deliveries of one subscription. Dropped, it unsubscribes; senders whose messages wait in it are told 503.
pub struct HttpDeliveries(Arrivals);

impl HttpDeliveries {
    /// What it is subscribed to.
    #[must_use]
    pub const fn filter(&self) -> &SubjectFilter {
        &self.0.filter
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
