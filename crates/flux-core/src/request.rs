//! Asking and answering.

use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::next::next;
use crate::panic::panic_text;
use crate::{BoxFuture, Delivery, Failure, Message, OnArrival, Registration, RemoteError, Result, Stage};

/// Sends requests and waits for their responses.
///
/// # Delivery
/// One responder gets the request. When there is none the call fails at once, not after the timeout.
///
/// # Cancel safety
/// Dropping the future gives up on the response; the request may have been handled.
///
/// # Errors
/// [`ErrorKind::NoResponder`](crate::ErrorKind::NoResponder); [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) after the transport's
/// request timeout (10 s unless configured); [`ErrorKind::Remote`](crate::ErrorKind::Remote) when the responder answered with an
/// error, which is never taken for a response.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot send requests of type `{Req}` for responses of type `{Resp}`",
    note = "a transport that carries bytes asks in `Bytes`; wrap it with a codec for other types: `bus.typed(Json)`"
)]
pub trait Requester<Req, Resp>: Send + Sync {
    /// Sends a request with headers and waits for the response with its own.
    fn ask(&self, request: Message<Req>) -> impl Future<Output = Result<Message<Resp>>> + Send;

    /// Sends `req` to `subject` and waits for the response.
    fn request(&self, subject: &str, req: Req) -> impl Future<Output = Result<Resp>> + Send
    where
        Req: Send,
    {
        async move { Ok(self.ask(Message::new(subject, req)?).await?.payload) }
    }
}

/// Receives requests.
///
/// # Errors
/// As [`Subscriber`](crate::Subscriber).
///
/// # Implementing
/// Every request must be answered: a [`Reply`] that is dropped tells the requester at once that nobody will.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer requests of type `{Req}` with responses of type `{Resp}`",
    note = "a transport that carries bytes answers in `Bytes`; wrap it with a codec for other types: `bus.typed(Json)`"
)]
pub trait Responder<Req, Resp>: Send + Sync {
    /// Carries the answer back.
    type Reply: Reply<Resp>;
    /// The requests of one subscription. Dropping it withdraws the responder.
    type Requests: Stream<Item = Result<Delivery<Req, Self::Reply>>> + Send;

    /// Starts to receive the requests to every subject that `filter` matches.
    fn listen(&self, filter: &str) -> impl Future<Output = Result<Self::Requests>> + Send;

    /// As [`listen`](Self::listen), with `on_arrival` called for each request on the task that received it, at most `concurrency` at
    /// a time (1 or more): no request goes from task to task. `None`, the default, where the transport has no such task; then `listen`.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    ///
    /// # Implementing
    /// Every future is to be driven to its end, also when its requester is gone. Requests beyond `concurrency` wait, as far as the
    /// transport's queues would hold them.
    fn listen_inline(
        &self,
        filter: &str,
        concurrency: usize,
        on_arrival: OnArrival<Req, Self::Reply>,
    ) -> impl Future<Output = Result<Option<Registration>>> + Send {
        let _ = (filter, concurrency, on_arrival);
        std::future::ready(Ok(None))
    }

    /// Waits until every reply given before, also by a [`Reply`] that was dropped, is out of this process's hands: a program that
    /// ends after that has answered. The router does so at the end of a drain.
    ///
    /// Provided: returns at once, for transports that send a reply before [`Reply::reply`] returns.
    ///
    /// # Errors
    /// When the peer did not take them.
    fn flush_replies(&self) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Answers requests with `stage`, one at a time, until the transport is closed or the future dropped. A stage that panics has
    /// failed: its requester is told, with code 500, and the next one is answered.
    ///
    /// The router does the same with concurrency, deadlines, metrics and drain.
    ///
    /// # Cancel safety
    /// Dropped, it takes no more requests. The one that is being answered is cut short, and its requester told; where the transport
    /// [calls](Self::listen_inline) the stage, as over HTTP, it is still answered.
    fn serve<S>(&self, filter: &str, stage: S) -> impl Future<Output = Result<()>> + Send
    where
        Req: Send + 'static,
        Resp: Send + 'static,
        S: Stage<Message<Req>, Out = Resp, Error: Into<Failure>> + 'static,
    {
        async move {
            let stage = Arc::new(stage);
            let inline = Arc::clone(&stage);
            let on_arrival: OnArrival<_, _> = Arc::new(move |request| {
                let stage = Arc::clone(&inline);
                Box::pin(async move { answer(&*stage, request).await })
            });
            if let Some(mut registration) = self.listen_inline(filter, 1, on_arrival).await? {
                registration.ended().await;
                return Ok(());
            }
            let mut requests = Box::pin(self.listen(filter).await?);
            while let Some(request) = next(requests.as_mut()).await {
                answer(&*stage, request).await;
            }
            Ok(())
        }
    }
}

/// Answers one request.
async fn answer<Req, S, A>(stage: &S, request: Result<Delivery<Req, A>>)
where
    S: Stage<Message<Req>, Error: Into<Failure>>,
    A: Reply<S::Out>,
{
    let Delivery { message, acker, .. } = match request {
        Ok(delivery) => delivery,
        Err(mut error) => {
            if let Some(undecodable) = error.take_undecodable() {
                let _ = undecodable.settle(crate::Outcome::term(error.to_string())).await;
            }
            return;
        }
    };
    let subject = message.subject.clone();
    let mut run = pin!(async {
        let response = stage.process(message).await.map_err(|error| error.into().to_remote())?;
        Ok(Message::to(subject, response))
    });
    let answer = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(cx))) {
        Ok(polled) => polled,
        Err(panic) => {
            let text = format!("the handler panicked: {}", panic_text(&*panic));
            Poll::Ready(Err(RemoteError::new(RemoteError::INTERNAL, text)))
        }
    });
    let answer = answer.await;
    // A requester that has gone away is not the responder's failure.
    let _ = acker.reply(answer).await;
}

/// Carries one answer back to its requester.
///
/// # Errors
/// When the answer could not be sent, or the requester is gone.
pub trait Reply<Resp>: Send + 'static {
    /// Answers with a response, or with an error that the requester gets as a [`RemoteError`].
    fn reply(self, answer: Result<Message<Resp>, RemoteError>) -> impl Future<Output = Result<()>> + Send;

    /// Whether the requester still waits, as far as the transport knows. What only waited for its turn need not be begun when nobody
    /// does. Default: yes.
    fn is_wanted(&self) -> bool {
        true
    }
}

/// The object-safe twin of [`Requester`].
pub trait DynRequester<Req, Resp>: Send + Sync {
    /// As [`Requester::ask`].
    fn ask_dyn(&self, request: Message<Req>) -> BoxFuture<'_, Result<Message<Resp>>>;
}

/// A boxed requester of any transport.
pub type BoxRequester<Req, Resp> = Box<dyn DynRequester<Req, Resp>>;
/// A shared requester of any transport.
pub type ArcRequester<Req, Resp> = Arc<dyn DynRequester<Req, Resp>>;

impl<Req: Send + 'static, Resp: 'static, R: Requester<Req, Resp>> DynRequester<Req, Resp> for R {
    fn ask_dyn(&self, request: Message<Req>) -> BoxFuture<'_, Result<Message<Resp>>> {
        Box::pin(self.ask(request))
    }
}

impl<Req, Resp> Requester<Req, Resp> for dyn DynRequester<Req, Resp> + '_ {
    fn ask(&self, request: Message<Req>) -> impl Future<Output = Result<Message<Resp>>> + Send {
        self.ask_dyn(request)
    }
}

/// The object-safe twin of [`Reply`].
pub trait DynReply<Resp>: Send {
    /// As [`Reply::reply`].
    fn reply_dyn(self: Box<Self>, answer: Result<Message<Resp>, RemoteError>) -> BoxFuture<'static, Result<()>>;
    /// As [`Reply::is_wanted`].
    fn is_wanted_dyn(&self) -> bool;
}

/// A boxed reply of any transport.
pub type BoxReply<Resp> = Box<dyn DynReply<Resp>>;

impl<Resp: Send + 'static, R: Reply<Resp>> DynReply<Resp> for R {
    fn reply_dyn(self: Box<Self>, answer: Result<Message<Resp>, RemoteError>) -> BoxFuture<'static, Result<()>> {
        Box::pin((*self).reply(answer))
    }

    fn is_wanted_dyn(&self) -> bool {
        self.is_wanted()
    }
}

impl<Resp: 'static> Reply<Resp> for BoxReply<Resp> {
    fn reply(self, answer: Result<Message<Resp>, RemoteError>) -> impl Future<Output = Result<()>> + Send {
        self.reply_dyn(answer)
    }

    fn is_wanted(&self) -> bool {
        (**self).is_wanted_dyn()
    }
}

/// A boxed stream of requests of any transport.
pub type BoxRequests<Req, Resp> = Pin<Box<dyn Stream<Item = Result<Delivery<Req, BoxReply<Resp>>>> + Send>>;

/// The object-safe twin of [`Responder`].
pub trait DynResponder<Req, Resp>: Send + Sync {
    /// As [`Responder::listen`].
    fn listen_dyn<'s>(&'s self, filter: &'s str) -> BoxFuture<'s, Result<BoxRequests<Req, Resp>>>;
    /// As [`Responder::listen_inline`].
    fn listen_inline_dyn<'s>(
        &'s self,
        filter: &'s str,
        concurrency: usize,
        on_arrival: OnArrival<Req, BoxReply<Resp>>,
    ) -> BoxFuture<'s, Result<Option<Registration>>>;
    /// As [`Responder::flush_replies`].
    fn flush_replies_dyn(&self) -> BoxFuture<'_, Result<()>>;
}

/// A boxed responder of any transport.
pub type BoxResponder<Req, Resp> = Box<dyn DynResponder<Req, Resp>>;
/// A shared responder of any transport.
pub type ArcResponder<Req, Resp> = Arc<dyn DynResponder<Req, Resp>>;

impl<Req: 'static, Resp: Send + 'static, R> DynResponder<Req, Resp> for R
where
    R: Responder<Req, Resp, Requests: 'static>,
{
    fn listen_dyn<'s>(&'s self, filter: &'s str) -> BoxFuture<'s, Result<BoxRequests<Req, Resp>>> {
        Box::pin(async move {
            let requests: BoxRequests<Req, Resp> = Box::pin(Boxing::new(self.listen(filter).await?));
            Ok(requests)
        })
    }

    fn listen_inline_dyn<'s>(
        &'s self,
        filter: &'s str,
        concurrency: usize,
        on_arrival: OnArrival<Req, BoxReply<Resp>>,
    ) -> BoxFuture<'s, Result<Option<Registration>>> {
        let boxing: OnArrival<Req, R::Reply> = Arc::new(move |request| on_arrival(request.map(boxed)));
        Box::pin(self.listen_inline(filter, concurrency, boxing))
    }

    fn flush_replies_dyn(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.flush_replies())
    }
}

fn boxed<Req, Resp, A>(request: Delivery<Req, A>) -> Delivery<Req, BoxReply<Resp>>
where
    Resp: Send + 'static,
    A: Reply<Resp>,
{
    request.map_acker(|reply| -> BoxReply<Resp> { Box::new(reply) })
}

impl<Req, Resp: 'static> Responder<Req, Resp> for dyn DynResponder<Req, Resp> + '_ {
    type Reply = BoxReply<Resp>;
    type Requests = BoxRequests<Req, Resp>;

    async fn listen(&self, filter: &str) -> Result<Self::Requests> {
        self.listen_dyn(filter).await
    }

    async fn listen_inline(
        &self,
        filter: &str,
        concurrency: usize,
        on_arrival: OnArrival<Req, BoxReply<Resp>>,
    ) -> Result<Option<Registration>> {
        self.listen_inline_dyn(filter, concurrency, on_arrival).await
    }

    fn flush_replies(&self) -> impl Future<Output = Result<()>> + Send {
        self.flush_replies_dyn()
    }
}

macro_rules! through_pointer {
    ($($pointer:ty),*) => {$(
        impl<Req, Resp, R: Requester<Req, Resp> + ?Sized> Requester<Req, Resp> for $pointer {
            fn ask(&self, request: Message<Req>) -> impl Future<Output = Result<Message<Resp>>> + Send {
                (**self).ask(request)
            }
        }

        impl<Req, Resp, R: Responder<Req, Resp> + ?Sized> Responder<Req, Resp> for $pointer {
            type Reply = R::Reply;
            type Requests = R::Requests;

            fn listen(&self, filter: &str) -> impl Future<Output = Result<Self::Requests>> + Send {
                (**self).listen(filter)
            }

            fn listen_inline(
                &self,
                filter: &str,
                concurrency: usize,
                on_arrival: OnArrival<Req, R::Reply>,
            ) -> impl Future<Output = Result<Option<Registration>>> + Send {
                (**self).listen_inline(filter, concurrency, on_arrival)
            }

            fn flush_replies(&self) -> impl Future<Output = Result<()>> + Send {
                (**self).flush_replies()
            }
        }
    )*};
}
through_pointer!(&R, Arc<R>, Box<R>);

pin_project! {
    /// Boxes the reply of each request.
    struct Boxing<Resp, R> {
        #[pin]
        requests: R,
        response: PhantomData<fn(Resp)>,
    }
}

impl<Resp, R> Boxing<Resp, R> {
    fn new(requests: R) -> Self {
        Self { requests, response: PhantomData }
    }
}

impl<Req, Resp, A, R> Stream for Boxing<Resp, R>
where
    Resp: Send + 'static,
    A: Reply<Resp>,
    R: Stream<Item = Result<Delivery<Req, A>>>,
{
    type Item = Result<Delivery<Req, BoxReply<Resp>>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.project().requests.poll_next(cx);
        next.map(|item| item.map(|request| request.map(boxed)))
    }
}
