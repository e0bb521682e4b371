//! Asking and answering: the answer is the body of the response.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use flux_core::{
    Delivery, Error, ErrorKind, Headers, Message, Metadata, OnArrival, Registration, RemoteError, Reply, Requester,
    Responder, Result, SubjectFilter, header,
};
use futures_core::Stream;
use http::{HeaderMap, StatusCode};
use hyper_util::client::legacy::connect::Connect;
use tokio::sync::oneshot;

use crate::acker::gone;
use crate::problem::Problem;
use crate::registry::{Answer, Arrivals, Role};
use crate::{HttpClient, HttpServer, error, wire};

/// # Delivery
/// The request carries `X-Deadline`, so that the handler can tell what is left; see [`Message::time_left`].
///
/// # Errors
/// [`ErrorKind::NoResponder`] at once when nobody listens there, or only subscribers, who handled it and answer nothing (202,
/// 204). [`ErrorKind::Remote`] for what a handler answered and for any other refusal, with its code, text and details from the
/// problem (RFC 9457), or from the status. [`ErrorKind::Full`], [`ErrorKind::Unavailable`] and [`ErrorKind::TimedOut`] when
/// the server had to refuse it, or no answer came within the request timeout or by the request's own `X-Deadline`.
impl<C: Connect + Clone + Send + Sync + 'static> Requester<Bytes, Bytes> for HttpClient<C> {
    async fn ask(&self, request: Message<Bytes>) -> Result<Message<Bytes>> {
        let (fields, limit) = deadline(&request.headers, self.config().request_timeout);
        let answered = self.post(&request, fields, limit).await.and_then(|answer| {
            if matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::ACCEPTED) {
                Err(Error::new(ErrorKind::NoResponder, "the peer took the request as a message and answers nothing"))
            } else if answer.status.is_success() {
                Ok(Message {
                    subject: request.subject.clone(),
                    headers: wire::read_headers(&answer.headers)?,
                    payload: answer.body,
                })
            } else {
                Err(error::of_request(&Problem::read(answer.status, &answer.headers, &answer.body)))
            }
        });
        answered.map_err(|error| error.with_operation("request").with_subject(request.subject))
    }
}

/// The header that says until when the requester waits, unless the request has one, and how long that is.
fn deadline(headers: &Headers, limit: Duration) -> (HeaderMap, Duration) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let own = headers.get(&header::DEADLINE).and_then(|value| value.parse().ok()).map(Duration::from_millis);
    if let Some(own) = own {
        return (HeaderMap::new(), limit.min(own.saturating_sub(now)));
    }
    let millis = u64::try_from(now.saturating_add(limit).as_millis()).unwrap_or(u64::MAX);
    let mut fields = HeaderMap::with_capacity(4);
    fields.insert("x-deadline", millis.into());
    (fields, limit)
}

/// Several responders of one subject take turns. Where one listens, subscribers of the same subject get nothing.
///
/// # Errors
/// As [`Subscriber`](flux_core::Subscriber).
impl Responder<Bytes, Bytes> for HttpServer {
    type Reply = HttpReply;
    type Requests = HttpRequests;

    async fn listen(&self, filter: &str) -> Result<HttpRequests> {
        let arrivals = self.add(filter, Role::Responder, None);
        arrivals.map(HttpRequests).map_err(|error| error.with_operation("listen"))
    }

    async fn listen_inline(
        &self,
        filter: &str,
        concurrency: usize,
        on_arrival: OnArrival<Bytes, HttpReply>,
    ) -> Result<Option<Registration>> {
        let registration = self.add_inline(filter, concurrency, on_arrival);
        registration.map(Some).map_err(|error| error.with_operation("listen"))
    }
}

/// The requests that one responder gets. Dropped, it withdraws the responder; requesters who wait in it are told 503.
pub struct HttpRequests(Arrivals);

impl HttpRequests {
    /// What it listens to.
    #[must_use]
    pub const fn filter(&self) -> &SubjectFilter {
        self.0.filter()
    }
}

impl Stream for HttpRequests {
    type Item = Result<Delivery<Bytes, HttpReply>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(cx).map(|arrival| {
            let arrival = arrival?;
            Some(Ok(Delivery::new(arrival.message, Metadata::default(), HttpReply(arrival.answer))))
        })
    }
}

/// Answers one request: 200 and the body, or a problem. Dropped without an answer, it answers 500 at once.
pub struct HttpReply(pub(crate) Option<oneshot::Sender<Answer>>);

/// The status of an error is its code, where that is a number from 400 to 599; for every other code it is 422.
///
/// # Errors
/// [`ErrorKind::Closed`] when the requester is gone, and [`ErrorKind::InvalidInput`] for a header that HTTP cannot carry: the
/// requester is answered with 500 then.
impl Reply<Bytes> for HttpReply {
    fn reply(mut self, answer: Result<Message<Bytes>, RemoteError>) -> impl Future<Output = Result<()>> + Send {
        let (answer, refused) = match answer {
            Ok(Message { headers, payload, .. }) => match wire::headers(&headers) {
                Ok(headers) => (Answer::Reply(headers, payload), None),
                Err(error) => {
                    let remote = RemoteError::new(RemoteError::INTERNAL, error.to_string());
                    (Answer::Refused(Problem::of(&remote)), Some(error))
                }
            },
            Err(remote) => (Answer::Refused(Problem::of(&remote)), None),
        };
        let told = self.0.take().is_none_or(|sender| sender.send(answer).is_ok());
        ready(match refused {
            Some(error) => Err(error.with_operation("reply")),
            None if told => Ok(()),
            None => Err(gone("reply")),
        })
    }

    fn is_wanted(&self) -> bool {
        self.0.as_ref().is_some_and(|sender| !sender.is_closed())
    }
}

impl Drop for HttpReply {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            let remote = RemoteError::new(RemoteError::INTERNAL, "the request was dropped without an answer");
            // A requester that has gone away is not the responder's failure.
            let _ = sender.send(Answer::Refused(Problem::of(&remote)));
        }
    }
}

impl fmt::Debug for HttpRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequests").field("filter", self.filter()).finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpReply")
    }
}
