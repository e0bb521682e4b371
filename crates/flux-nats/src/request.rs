//! Asking and answering: one responder gets each request, and every request gets its answer or an error.

mod leaving;
mod many;
mod reply;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::{HeaderMap, Request, RequestErrorKind};
use bytes::Bytes;
use flux_core::{Delivery, Headers, Message, Metadata, Requester, Responder, Result, SubjectFilter, header};
use futures_core::Stream;
use tokio::time::timeout;

pub use many::{Many, NatsAnswers, RequestMany, TypedAnswers};
pub use reply::NatsReply;

pub(crate) use leaving::Leaving;

use crate::service::Live;
use crate::subscriber::Subscription;
use crate::{Nats, error, wire};

/// # Delivery
/// One member of the responders' queue group gets the request. A deadline travels along as `X-Deadline`, so that the handler can tell
/// what is left; see [`Message::time_left`]. The request timeout does so only if
/// [configured](crate::NatsConfig::with_timeout_as_deadline).
///
/// # Errors
/// [`ErrorKind::NoResponder`](flux_core::ErrorKind::NoResponder) at once when nobody listens.
/// [`ErrorKind::TimedOut`](flux_core::ErrorKind::TimedOut), or [`ErrorKind::Unavailable`](flux_core::ErrorKind::Unavailable) when
/// the connection is down, after [`request_timeout`](crate::NatsConfig::request_timeout) or at the request's own `X-Deadline`,
/// whichever is sooner. [`ErrorKind::Remote`](flux_core::ErrorKind::Remote) for an answer that says error.
/// [`ErrorKind::TooLarge`](flux_core::ErrorKind::TooLarge).
impl Requester<Bytes, Bytes> for Nats {
    async fn ask(&self, request: Message<Bytes>) -> Result<Message<Bytes>> {
        let Message { subject, headers, payload } = request;
        let (limit, told) = (self.config().request_timeout, self.config().timeout_as_deadline);
        let (native, limit) = self.request_headers(&headers, limit, told);
        let request = Request { payload: Some(payload), headers: native, timeout: Some(Some(limit)), inbox: None };
        let error = match self.client().send_request(wire::Borrowed(&subject), request).await {
            Ok(answer) => match reply::read(&answer) {
                // Under the subject that was asked, because that of the inbox means nothing.
                Ok(headers) => return Ok(Message { subject, headers, payload: answer.payload }),
                Err(error) => error,
            },
            Err(error) if error.kind() == RequestErrorKind::TimedOut => self.overdue("no answer within", limit),
            Err(error) => error::from_request(error),
        };
        Err(error.with_operation("request").with_subject(subject))
    }
}

impl Nats {
    /// The headers of a request, and how long to wait: for `limit`, or until the deadline that the request has. If it has none,
    /// `told` says whether `limit` becomes one.
    fn request_headers(&self, headers: &Headers, limit: Duration, told: bool) -> (Option<HeaderMap>, Duration) {
        let own = own_deadline(headers);
        if own.is_none() && !told {
            return (self.headers(headers), limit);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if let Some(own) = own {
            return (self.headers(headers), limit.min(own.saturating_sub(now)));
        }
        let deadline = now.saturating_add(limit).as_millis();
        let mut native = self.headers(headers).unwrap_or_default();
        wire::set_deadline(&mut native, u64::try_from(deadline).unwrap_or(u64::MAX));
        (Some(native), limit)
    }
}

/// The deadline that a request has already.
fn own_deadline(headers: &Headers) -> Option<Duration> {
    headers.get(&header::DEADLINE)?.parse().ok().map(Duration::from_millis)
}

/// Responders are members of the queue group [`responder_group`](crate::NatsConfig::responder_group).
///
/// # Errors
/// As [`Subscriber`](flux_core::Subscriber), in the stream as well.
impl Responder<Bytes, Bytes> for Nats {
    type Reply = NatsReply;
    type Requests = NatsRequests;

    async fn listen(&self, filter: &str) -> Result<NatsRequests> {
        let joined = self.join(filter, Some(&self.config().responder_group)).await;
        let subscription = joined.map_err(|error| error.with_operation("listen"))?;
        Ok(NatsRequests::new(self.clone(), subscription, None))
    }

    /// One round trip, after the requests that a dropped responder had not taken were refused. Where permissions forbid the round
    /// trip, a second of being connected stands for it.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](flux_core::ErrorKind::Unavailable) when the connection is down for the request timeout, and
    /// [`ErrorKind::Closed`](flux_core::ErrorKind::Closed).
    async fn flush_replies(&self) -> Result<()> {
        let limit = self.config().request_timeout;
        let sent = async {
            self.0.leaving.done().await;
            self.confirm().await
        };
        let sent = timeout(limit, sent).await;
        let sent = sent.unwrap_or_else(|_| Err(self.overdue("the last replies were not sent within", limit)));
        sent.map_err(|error| error.with_operation("flush"))
    }
}

/// The requests that one responder gets. Dropped, it withdraws the responder; requests that had arrived and were not taken are
/// answered with code `503`.
pub struct NatsRequests {
    filter: SubjectFilter,
    subscription: Option<Subscription>,
    nats: Nats,
    /// The endpoint of a service, if it is one.
    live: Option<Live>,
}

impl NatsRequests {
    pub(crate) fn new(nats: Nats, subscription: Subscription, live: Option<Live>) -> Self {
        Self { filter: subscription.filter.clone(), subscription: Some(subscription), nats, live }
    }

    /// What it listens to.
    #[must_use]
    pub const fn filter(&self) -> &SubjectFilter {
        &self.filter
    }

    /// Withdraws the responder; the stream hands over the requests that had arrived, and ends.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`](flux_core::ErrorKind::Closed).
    pub async fn drain(&mut self) -> Result<()> {
        match &mut self.subscription {
            Some(subscription) => {
                subscription.subscriber.drain().await.map_err(|error| error::closed(error).with_operation("drain"))
            }
            None => Ok(()),
        }
    }
}

impl Stream for NatsRequests {
    type Item = Result<Delivery<Bytes, NatsReply>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { subscription, nats, live, .. } = &mut *self;
        let Some(subscription) = subscription.as_mut().filter(|subscription| !subscription.over) else {
            return Poll::Ready(None);
        };
        let Poll::Ready(native) = Pin::new(&mut subscription.subscriber).poll_next(cx) else {
            return subscription.poll_denial(cx).map(|error| Some(Err(error.with_operation("listen"))));
        };
        let Some(mut native) = native else { return Poll::Ready(None) };
        let reply = NatsReply::new(nats, native.reply.take(), live.as_ref().map(Live::begin));
        Poll::Ready(Some(match subscription.subjects.message(native) {
            Ok(message) => Ok(Delivery::new(message, Metadata::default(), reply)),
            // The requester is told by the reply that is dropped here.
            Err(error) => Err(error.with_operation("receive")),
        }))
    }
}

impl Drop for NatsRequests {
    fn drop(&mut self) {
        let Some(mut subscription) = self.subscription.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let nats = self.nats.clone();
        let leaving = nats.0.leaving.begin();
        runtime.spawn(async move {
            let _leaving = leaving;
            if subscription.subscriber.drain().await.is_ok() {
                reply::refuse_all(&nats, &mut subscription.subscriber).await;
            }
        });
    }
}

impl fmt::Debug for NatsRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsRequests").field("filter", &self.filter).finish_non_exhaustive()
    }
}
