//! Answers that say how the request went and carry headers of their own.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use flux_core::{
    Delivery, Error, HeaderName, HeaderValue, Headers, Message, OnArrival, Registration, RemoteError, Reply, Responder,
    Result, Status, header,
};
use futures_core::Stream;
use pin_project_lite::pin_project;

/// The longest code that an answer carries, in bytes.
const MAX_CODE: usize = 256;

/// A response with its status, for routes made by [`RequestRoute::answering`](crate::RequestRoute::answering).
///
/// A handler that has no response at all returns an error: a [`RemoteError`] from [`RemoteError::fail`] for a request that is
/// wrong, from [`RemoteError::new`] or anything else for what the handler could not do. So the four statuses are
///
/// | `X-Status` | `X-Error-Code` | the handler returns | the requester gets |
/// |---|---|---|---|
/// | `success` | – | `Ok(Answer::success(response))` | the response |
/// | `partial` | the code | `Ok(Answer::partial(response, code))` | the response; [`Status::of`] its headers tells |
/// | `fail` | the code | `Err(RemoteError::fail(code, text).into())` | [`ErrorKind::Remote`](flux_core::ErrorKind::Remote), not retryable |
/// | `error` | the code, else 500 | any other error | [`ErrorKind::Remote`](flux_core::ErrorKind::Remote) |
///
/// ```
/// use flux_core::{Failure, Message, RemoteError};
/// use flux_router::Answer;
///
/// async fn quote(request: Message<Vec<String>>) -> Result<Answer<Vec<f64>>, Failure> {
///     let known: Vec<f64> = request.payload.iter().filter(|name| *name == "EWR-LHR").map(|_| 420.0).collect();
///     match known.len() {
///         0 => Err(RemoteError::fail("404", "none of these is known").into()),
///         found if found < request.payload.len() => Ok(Answer::partial(known, "some_unknown")),
///         _ => Ok(Answer::success(known)),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an answer is given by returning it"]
pub struct Answer<T> {
    payload: T,
    headers: Headers,
}

impl<T> Answer<T> {
    /// All that was asked for.
    pub fn success(payload: T) -> Self {
        Self::with(payload, Status::Success, None)
    }

    /// A part of what was asked for; `code` says for programs what is missing. Control characters in it become spaces, and it
    /// is cut to 256 bytes.
    pub fn partial(payload: T, code: impl Into<Cow<'static, str>>) -> Self {
        Self::with(payload, Status::Partial, Some(code.into()))
    }

    fn with(payload: T, status: Status, code: Option<Cow<'static, str>>) -> Self {
        let status = (header::STATUS, HeaderValue::from_static(status.as_str()));
        let code = code.map(|code| (header::ERROR_CODE, HeaderValue::lossy(&code, MAX_CODE)));
        Self { payload, headers: [status].into_iter().chain(code).collect() }
    }

    /// Adds a header to the answer, in place of one with that name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](flux_core::ErrorKind::InvalidInput) and [`ErrorKind::TooLarge`](flux_core::ErrorKind::TooLarge).
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Result<Self>
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
        Error: From<N::Error> + From<V::Error>,
    {
        self.headers.insert(name, value)?;
        Ok(self)
    }
}

/// A transport whose responders give [`Answer`]s.
#[derive(Debug, Clone)]
pub struct Answering<B>(pub(crate) B);

impl<Req, T, B> Responder<Req, Answer<T>> for Answering<B>
where
    Req: 'static,
    T: Send + 'static,
    B: Responder<Req, T>,
{
    type Reply = AnsweringReply<B::Reply>;
    type Requests = AnsweringRequests<B::Requests, T>;

    async fn listen(&self, filter: &str) -> Result<Self::Requests> {
        Ok(AnsweringRequests { requests: self.0.listen(filter).await?, answer: PhantomData })
    }

    fn listen_inline(
        &self,
        filter: &str,
        concurrency: usize,
        on_arrival: OnArrival<Req, Self::Reply>,
    ) -> impl Future<Output = Result<Option<Registration>>> + Send {
        let wrapping: OnArrival<Req, B::Reply> =
            Arc::new(move |request| on_arrival(request.map(|request| request.map_acker(AnsweringReply))));
        self.0.listen_inline(filter, concurrency, wrapping)
    }

    fn flush_replies(&self) -> impl Future<Output = Result<()>> + Send {
        self.0.flush_replies()
    }
}

pin_project! {
    /// Requests that take an [`Answer`].
    pub struct AnsweringRequests<R, T> {
        #[pin]
        requests: R,
        answer: PhantomData<fn(T)>,
    }
}

impl<Req, A, R, T> Stream for AnsweringRequests<R, T>
where
    A: Reply<T>,
    R: Stream<Item = Result<Delivery<Req, A>>>,
{
    type Item = Result<Delivery<Req, AnsweringReply<A>>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.project().requests.poll_next(cx);
        next.map(|item| item.map(|request| Ok(request?.map_acker(AnsweringReply))))
    }
}

/// Carries an [`Answer`] back.
#[derive(Debug)]
pub struct AnsweringReply<A>(A);

impl<T, A> Reply<Answer<T>> for AnsweringReply<A>
where
    T: Send + 'static,
    A: Reply<T>,
{
    async fn reply(self, answer: Result<Message<Answer<T>>, RemoteError>) -> Result<()> {
        let unpacked = match answer {
            Ok(message) => unpack(message).map_err(|error| RemoteError::new(RemoteError::INTERNAL, error.to_string())),
            Err(remote) => Err(remote),
        };
        self.0.reply(unpacked).await
    }

    fn is_wanted(&self) -> bool {
        self.0.is_wanted()
    }
}

/// Writes the answer's headers over those that travel by themselves.
fn unpack<T>(message: Message<Answer<T>>) -> Result<Message<T>> {
    let (mut rest, Answer { payload, headers }) = message.take();
    for (name, value) in headers.iter() {
        rest.headers.insert(name, value)?;
    }
    Ok(rest.map(|()| payload))
}

impl<R, T> fmt::Debug for AnsweringRequests<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnsweringRequests")
    }
}
