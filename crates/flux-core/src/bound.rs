//! A transport fixed to one subject.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::{Error, Message, Publisher, Requester, Result, Stage, Subject, Subscriber};

/// A publisher, subscriber or topic fixed to a subject. As a publisher it is a [`Stage`] from a value to a receipt.
///
/// Binding checks the subject once; publishing then allocates nothing for it.
///
/// ```
/// # use flux_core::{Publisher, Result, Stage, bind, subject};
/// # async fn doc<P: Publisher<f64>>(bus: P) -> Result<()> {
/// let totals = bind(&bus, subject!("orders.total"))?;
/// totals.publish(9.5).await?;
/// totals.process(11.0).await?; // the same, as a stage
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Bound<B> {
    transport: B,
    subject: Subject,
}

/// Fixes `transport` to `subject`.
///
/// # Errors
/// [`ErrorKind::InvalidSubject`](crate::ErrorKind::InvalidSubject).
pub fn bind<B, S>(transport: B, subject: S) -> Result<Bound<B>>
where
    S: TryInto<Subject>,
    Error: From<S::Error>,
{
    Ok(Bound { transport, subject: subject.try_into()? })
}

impl<B> Bound<B> {
    /// The subject.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The transport.
    pub const fn transport(&self) -> &B {
        &self.transport
    }

    /// Sends `payload` to the subject.
    ///
    /// # Errors
    /// Those of [`Publisher`].
    // No future of its own: each layer of them moves the payload once more.
    #[inline]
    pub fn publish<T>(&self, payload: T) -> impl Future<Output = Result<B::Receipt>> + Send
    where
        T: Send,
        B: Publisher<T>,
    {
        self.transport.send(Message::to(self.subject.clone(), payload))
    }

    /// Subscribes to the subject.
    ///
    /// # Errors
    /// Those of [`Subscriber`].
    pub async fn subscribe<T>(&self) -> Result<B::Deliveries>
    where
        B: Subscriber<T>,
    {
        self.transport.subscribe(self.subject.as_str()).await
    }

    /// Asks at the subject.
    ///
    /// # Errors
    /// Those of [`Requester`].
    // No future of its own, as above.
    #[inline]
    pub fn request<Req, Resp>(&self, req: Req) -> impl Future<Output = Result<Resp>> + Send
    where
        Req: Send,
        Resp: Send,
        B: Requester<Req, Resp>,
    {
        Payload { asking: self.transport.ask(Message::to(self.subject.clone(), req)) }
    }

    /// The requests to the subject as a stage from `Req` to `Resp`.
    pub fn into_request<Resp>(self) -> BoundRequest<B, Resp> {
        BoundRequest { bound: self, response: PhantomData }
    }
}

impl<T: Send, B: Publisher<T>> Stage<T> for Bound<B> {
    type Out = B::Receipt;
    type Error = Error;

    fn process(&self, input: T) -> impl Future<Output = Result<B::Receipt>> + Send {
        self.publish(input)
    }
}

pin_project! {
    /// Waits for a response, and keeps its payload.
    struct Payload<F> {
        #[pin]
        asking: F,
    }
}

impl<Resp, F: Future<Output = Result<Message<Resp>>>> Future for Payload<F> {
    type Output = Result<Resp>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Resp>> {
        match self.project().asking.poll(cx) {
            Poll::Ready(Ok(response)) => Poll::Ready(Ok(response.payload)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// A requester fixed to a subject: a [`Stage`] from request to response.
#[derive(Debug, Clone)]
pub struct BoundRequest<B, Resp> {
    bound: Bound<B>,
    response: PhantomData<fn() -> Resp>,
}

impl<Req: Send, Resp: Send, B: Requester<Req, Resp>> Stage<Req> for BoundRequest<B, Resp> {
    type Out = Resp;
    type Error = Error;

    fn process(&self, input: Req) -> impl Future<Output = Result<Resp>> + Send {
        self.bound.request(input)
    }
}
