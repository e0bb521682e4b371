//! One request, several answers: of many responders, or of one that streams.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::StatusCode;
use async_nats::client::traits::Publisher as _;
use async_nats::message::OutboundMessage;
use bytes::Bytes;
use flux_core::__private::read;
use flux_core::{Codec, Error, ErrorKind, Message, Result, Scope, Subject, Typed};
use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::reply;
use crate::{Nats, error, wire};

/// Which answers to wait for, and how long.
///
/// ```
/// use std::time::Duration;
/// use flux_nats::Many;
///
/// let everyone = Many::gather(Duration::from_millis(500)).with_stall(Duration::from_millis(100));
/// let whole_list = Many::stream(Duration::from_secs(30)).with_stall(Duration::from_secs(2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Many {
    /// How long to wait for all answers together.
    pub total: Duration,
    /// How long to wait for the next answer after one. Default: as long as `total` allows.
    pub stall: Option<Duration>,
    /// The number of answers that is enough. Default: no number is.
    pub max: Option<usize>,
    /// Whether there must be an end mark.
    marked: bool,
}

impl Many {
    /// The answers of whoever is there, for at most this long. That time runs out is the end, not an error.
    #[must_use]
    pub const fn gather(total: Duration) -> Self {
        Self { total, stall: None, max: None, marked: false }
    }

    /// The answers of one responder up to its end mark, for at most this long. When time runs out before, the last item is
    /// [`ErrorKind::TimedOut`], so that a list cut short is not taken for a whole one; so is an error that the responder answers.
    #[must_use]
    pub const fn stream(total: Duration) -> Self {
        Self { total, stall: None, max: None, marked: true }
    }

    /// Sets how long to wait for the next answer after one.
    #[must_use]
    pub const fn with_stall(mut self, stall: Duration) -> Self {
        self.stall = Some(stall);
        self
    }

    /// Sets the number of answers that is enough.
    #[must_use]
    pub const fn with_max(mut self, max: usize) -> Self {
        self.max = Some(max);
        self
    }
}

/// Sends a request that may have several answers.
pub trait RequestMany<Req, Resp>: Send + Sync {
    /// The answers to one request. Dropped, it takes no more.
    type Answers: Stream<Item = Result<Message<Resp>>> + Send;

    /// Sends the request; its answers come in the returned stream, until an empty one without headers marks their end (NATS
    /// ADR-47), or `many` says that it is enough.
    ///
    /// # Errors
    /// Those of [`Publisher`](flux_core::Publisher). In the stream, [`ErrorKind::NoResponder`] at once when nobody listens,
    /// [`ErrorKind::Remote`] for an answer that says error, and [`ErrorKind::TimedOut`] as [`Many::stream`] has it.
    fn request_many(&self, request: Message<Req>, many: Many) -> impl Future<Output = Result<Self::Answers>> + Send;
}

impl RequestMany<Bytes, Bytes> for Nats {
    type Answers = NatsAnswers;

    async fn request_many(&self, request: Message<Bytes>, many: Many) -> Result<NatsAnswers> {
        let subject = request.subject.clone();
        let sent = self.scatter(request, many).await;
        sent.map_err(|error| error.with_operation("request").with_subject(subject))
    }
}

impl Nats {
    async fn scatter(&self, request: Message<Bytes>, many: Many) -> Result<NatsAnswers> {
        let Message { subject, headers, payload } = request;
        let (native, limit) = self.request_headers(&headers, many.total, true);
        let inbox = async_nats::Subject::from(self.client().new_inbox());
        let subscriber = self.client().subscribe(inbox.clone()).await.map_err(error::from_subscribe)?;
        let message =
            OutboundMessage { subject: wire::subject(&subject), reply: Some(inbox), payload, headers: native };
        self.client().publish_message(message).await.map_err(error::from_publish)?;
        let end = Instant::now() + limit;
        let timer = Box::pin(sleep_until(end));
        Ok(NatsAnswers { subscriber: Some(subscriber), subject, many, end, timer, taken: 0 })
    }
}

/// The answers to one request.
pub struct NatsAnswers {
    /// `None` once they are over.
    subscriber: Option<async_nats::Subscriber>,
    subject: Subject,
    many: Many,
    end: Instant,
    timer: Pin<Box<Sleep>>,
    taken: usize,
}

impl NatsAnswers {
    /// What an answer that came is for the caller; `None` for the end mark.
    fn read(&mut self, native: async_nats::Message) -> Option<Result<Message<Bytes>>> {
        if native.status == Some(StatusCode::NO_RESPONDERS) {
            self.subscriber = None;
            return Some(Err(self.error(Error::new(ErrorKind::NoResponder, ""))));
        }
        if native.payload.is_empty() && native.headers.as_ref().is_none_or(async_nats::HeaderMap::is_empty) {
            self.subscriber = None;
            return None;
        }
        self.taken += 1;
        let answer = match reply::read(&native) {
            Ok(headers) => Ok(Message { subject: self.subject.clone(), headers, payload: native.payload }),
            Err(error) => Err(self.error(error)),
        };
        if self.many.max.is_some_and(|max| self.taken >= max) || (self.many.marked && answer.is_err()) {
            self.subscriber = None;
        } else if let Some(stall) = self.many.stall {
            let next = self.end.min(Instant::now() + stall);
            self.timer.as_mut().reset(next);
        }
        Some(answer)
    }

    fn overdue(&mut self) -> Option<Result<Message<Bytes>>> {
        self.subscriber = None;
        let text = format!("the answers stopped after {} without an end mark", self.taken);
        self.many.marked.then(|| Err(self.error(Error::new(ErrorKind::TimedOut, text))))
    }

    fn error(&self, error: Error) -> Error {
        error.with_operation("request").with_subject(self.subject.clone())
    }
}

impl Stream for NatsAnswers {
    type Item = Result<Message<Bytes>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(subscriber) = &mut this.subscriber else { return Poll::Ready(None) };
        if this.many.max == Some(0) {
            this.subscriber = None;
            return Poll::Ready(None);
        }
        match Pin::new(subscriber).poll_next(cx) {
            Poll::Ready(Some(native)) => Poll::Ready(this.read(native)),
            Poll::Ready(None) => {
                this.subscriber = None;
                Poll::Ready(Some(Err(this.error(Error::new(ErrorKind::Closed, "")))))
            }
            Poll::Pending => this.timer.as_mut().poll(cx).map(|()| this.overdue()),
        }
    }
}

impl fmt::Debug for NatsAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsAnswers").field("subject", &self.subject).field("many", &self.many).finish_non_exhaustive()
    }
}

impl<Req, Resp, C> RequestMany<Req, Resp> for Typed<Nats, C>
where
    Req: Send,
    Resp: Send,
    C: Codec<Req> + Codec<Resp> + Clone,
{
    type Answers = TypedAnswers<Resp, C>;

    async fn request_many(&self, request: Message<Req>, many: Many) -> Result<Self::Answers> {
        let mut request = request;
        Scope::stamp_deadline(&mut request.headers);
        let (request, sending) = self.prepare(request)?;
        let answers = self.wire().request_many(request, many).await;
        sending.finish(answers.as_ref().map(drop));
        let answers = answers?;
        Ok(TypedAnswers { answers, codec: self.codec().clone(), response: PhantomData })
    }
}

pin_project! {
    /// The answers to one request, decoded by the codec `C`.
    pub struct TypedAnswers<Resp, C> {
        #[pin]
        answers: NatsAnswers,
        codec: C,
        response: PhantomData<fn() -> Resp>,
    }
}

impl<Resp, C: Codec<Resp>> Stream for TypedAnswers<Resp, C> {
    type Item = Result<Message<Resp>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        this.answers.poll_next(cx).map(|answer| {
            answer.map(|answer| {
                let answer = answer?;
                match read(this.codec, &answer) {
                    Ok(value) => Ok(answer.map(|_| value)),
                    Err(error) => Err(error.with_operation("decode the response of").with_subject(answer.subject)),
                }
            })
        })
    }
}

impl<Resp, C> fmt::Debug for TypedAnswers<Resp, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedAnswers").field(&self.answers).finish()
    }
}
