//! Asking and answering in values.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use pin_project_lite::pin_project;

use super::scratch::Scratch;
use super::{caught, read, why};
use crate::per_thread::PerThread;
use crate::{
    BoxSettle, Codec, Delivery, Message, OnArrival, Outcome, Registration, RemoteError, Reply, Requester, Responder,
    Result, Scope, Settle, Typed, Unreadable,
};

impl<Req, Resp, W, C> Requester<Req, Resp> for Typed<W, C>
where
    Req: Send,
    Resp: Send,
    W: Requester<Bytes, Bytes>,
    C: Codec<Req> + Codec<Resp>,
{
    async fn ask(&self, request: Message<Req>) -> Result<Message<Resp>> {
        let Message { subject, mut headers, payload } = request;
        let payload = self.encode(&subject, &mut headers, payload)?;
        Scope::stamp_deadline(&mut headers);
        let sending = self.telemetry.send(&subject, &mut headers);
        let result = self.wire.ask(Message { subject, headers, payload }).await;
        sending.finish(result.as_ref().map(drop));
        let response = result?;
        match read(&self.codec, &response) {
            Ok(value) => Ok(response.map(|_| value)),
            Err(error) => Err(error.with_operation("decode the response of").with_subject(response.subject)),
        }
    }
}

impl<Req, Resp, W, C> Responder<Req, Resp> for Typed<W, C>
where
    Req: Send + 'static,
    Resp: Send + 'static,
    W: Responder<Bytes, Bytes>,
    C: Codec<Req> + Codec<Resp> + Clone + 'static,
{
    type Reply = TypedReply<W::Reply, C>;
    type Requests = TypedRequests<Req, Resp, W::Requests, C>;

    async fn listen(&self, filter: &str) -> Result<Self::Requests> {
        let requests = self.wire.listen(filter).await?;
        Ok(TypedRequests { requests, codec: Arc::new(self.codec.clone()), types: PhantomData })
    }

    fn listen_inline(
        &self,
        filter: &str,
        concurrency: usize,
        on_arrival: OnArrival<Req, Self::Reply>,
    ) -> impl Future<Output = Result<Option<Registration>>> + Send {
        // Every request counts on it: threads that answer at the same time have one each.
        let codecs = PerThread::new(|| self.codec.clone());
        let decoding: OnArrival<Bytes, W::Reply> =
            Arc::new(move |request| on_arrival(request.and_then(|request| decode(codecs.here(), request))));
        self.wire.listen_inline(filter, concurrency, decoding)
    }

    fn flush_replies(&self) -> impl Future<Output = Result<()>> + Send {
        self.wire.flush_replies()
    }
}

pin_project! {
    /// Requests decoded by the codec `C`.
    pub struct TypedRequests<Req, Resp, R, C> {
        #[pin]
        requests: R,
        codec: Arc<C>,
        types: PhantomData<fn(Resp) -> Req>,
    }
}

impl<Req, Resp, A, R, C> Stream for TypedRequests<Req, Resp, R, C>
where
    A: Reply<Bytes>,
    R: Stream<Item = Result<Delivery<Bytes, A>>>,
    C: Codec<Req> + Codec<Resp>,
{
    type Item = Result<Delivery<Req, TypedReply<A, C>>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let next = this.requests.poll_next(cx);
        next.map(|item| item.map(|request| decode(this.codec, request?)))
    }
}

fn decode<Req, A, C>(codec: &Arc<C>, request: Delivery<Bytes, A>) -> Result<Delivery<Req, TypedReply<A, C>>>
where
    A: Reply<Bytes>,
    C: Codec<Req>,
{
    match read(&**codec, &request.message) {
        Ok(value) => {
            let Delivery { message, metadata, acker, .. } = request;
            let (rest, bytes) = message.take();
            let reply = TypedReply { reply: acker, codec: Arc::clone(codec) };
            Ok(Delivery::new(rest.map(|()| value), metadata, reply).with_original(bytes))
        }
        Err(error) => {
            let why = why(&**codec, request.message.headers.content_type(), &error);
            let error = error.with_operation("decode").with_subject(request.message.subject.clone());
            Err(error.with_undecodable(Box::new(request.map_acker(|reply| BoxSettle::new(Refusal { reply, why })))))
        }
    }
}

/// Encodes a response and carries it back.
pub struct TypedReply<A, C> {
    reply: A,
    codec: Arc<C>,
}

impl<Resp, A, C> Reply<Resp> for TypedReply<A, C>
where
    Resp: Send + 'static,
    A: Reply<Bytes>,
    C: Codec<Resp> + 'static,
{
    async fn reply(self, answer: Result<Message<Resp>, RemoteError>) -> Result<()> {
        let answer = match answer.map(|response| encode(&*self.codec, response)) {
            Ok(Ok(response)) => Ok(response),
            // The requester must not wait for an answer that will never come.
            Ok(Err(error)) => {
                let remote = RemoteError::new(RemoteError::INTERNAL, error.to_string());
                Box::pin(self.reply.reply(Err(remote))).await?;
                return Err(error);
            }
            Err(remote) => Err(remote),
        };
        self.reply.reply(answer).await
    }

    fn is_wanted(&self) -> bool {
        self.reply.is_wanted()
    }
}

fn encode<Resp, C: Codec<Resp>>(codec: &C, response: Message<Resp>) -> Result<Message<Bytes>> {
    let (mut rest, value) = response.take();
    match caught(|| Scratch::lend(|scratch| codec.to_bytes(value, &mut scratch.buffer))) {
        Ok(bytes) => {
            rest.headers.set_content_type(codec.content_type());
            Ok(rest.map(|()| bytes))
        }
        Err(error) => Err(error.with_operation("encode the response of").with_subject(rest.subject)),
    }
}

/// Answers a request that did not decode: whatever the outcome, its requester gets an error at once.
struct Refusal<A> {
    reply: A,
    why: Unreadable,
}

impl<A: Reply<Bytes>> Settle for Refusal<A> {
    const REDELIVERS: bool = false;

    async fn settle(self, outcome: Outcome) -> Result<()> {
        let reason = match outcome {
            Outcome::Term(reason) => reason,
            _ => "the request could not be decoded".into(),
        };
        let code = match self.why {
            Unreadable::ContentType => RemoteError::CONTENT_TYPE,
            Unreadable::Size => RemoteError::TOO_LARGE,
            Unreadable::Signature => RemoteError::UNSIGNED,
            Unreadable::Payload => RemoteError::UNDECODABLE,
        };
        self.reply.reply(Err(RemoteError::new(code, reason))).await
    }
}

impl<A, C> fmt::Debug for TypedReply<A, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedReply")
    }
}

impl<Req, Resp, R, C> fmt::Debug for TypedRequests<Req, Resp, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedRequests")
    }
}
