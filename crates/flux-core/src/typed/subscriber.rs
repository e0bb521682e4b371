//! Receiving values: check the content type, decode, keep the bytes.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use pin_project_lite::pin_project;

use super::{read, why};
use crate::{
    Backlog, Batch, BoxSettle, Codec, Consumer, Delivery, Error, Instance, Message, QueueSubscriber, Result, Settle,
    Subscriber, Typed,
};

impl<T, W, C> Subscriber<T> for Typed<W, C>
where
    T: Send,
    W: Subscriber<Bytes>,
    C: Codec<T> + Clone,
{
    type Acker = W::Acker;
    type Deliveries = TypedDeliveries<T, W::Deliveries, C>;

    async fn subscribe(&self, filter: &str) -> Result<Self::Deliveries> {
        Ok(TypedDeliveries::new(self.wire.subscribe(filter).await?, self.codec.clone()))
    }

    fn backlog(deliveries: &Self::Deliveries) -> Option<Arc<dyn Backlog>> {
        W::backlog(&deliveries.deliveries)
    }
}

impl<T, W, C> QueueSubscriber<T> for Typed<W, C>
where
    T: Send,
    W: QueueSubscriber<Bytes>,
    C: Codec<T> + Clone,
{
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<Self::Deliveries> {
        Ok(TypedDeliveries::new(self.wire.subscribe_group(filter, group).await?, self.codec.clone()))
    }

    fn instance(&self) -> Option<Instance> {
        self.wire.instance()
    }
}

impl<T, W, C> Consumer<T> for Typed<W, C>
where
    T: Send,
    W: Consumer<Bytes>,
    C: Codec<T>,
{
    type Acker = W::Acker;

    async fn fetch(&self, max: usize, wait: Duration) -> Result<Batch<T, W::Acker>> {
        let receiving = self.telemetry.receive();
        let fetched = self.wire.fetch(max, wait).await;
        receiving.finish(fetched.as_ref().map(|batch| batch.iter().flatten().map(|delivery| &delivery.message)));
        let batch = fetched?;
        Ok(batch.into_iter().map(|item| decode(&self.codec, item?)).collect())
    }
}

pin_project! {
    /// Deliveries decoded by the codec `C`.
    pub struct TypedDeliveries<T, D, C> {
        #[pin]
        deliveries: D,
        codec: C,
        payload: PhantomData<fn() -> T>,
    }
}

impl<T, D, C> TypedDeliveries<T, D, C> {
    fn new(deliveries: D, codec: C) -> Self {
        Self { deliveries, codec, payload: PhantomData }
    }
}

impl<T, A, D, C> Stream for TypedDeliveries<T, D, C>
where
    A: Settle,
    D: Stream<Item = Result<Delivery<Bytes, A>>>,
    C: Codec<T>,
{
    type Item = Result<Delivery<T, A>>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        // Spelled out, because each combinator would move the delivery once more.
        match this.deliveries.poll_next(cx) {
            Poll::Ready(Some(Ok(delivery))) => Poll::Ready(Some(decode(this.codec, delivery))),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T, D, C: fmt::Debug> fmt::Debug for TypedDeliveries<T, D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedDeliveries").field("codec", &self.codec).finish_non_exhaustive()
    }
}

#[inline]
fn decode<T, A: Settle, C: Codec<T>>(codec: &C, delivery: Delivery<Bytes, A>) -> Result<Delivery<T, A>> {
    match read(codec, &delivery.message) {
        Ok(value) => {
            let Delivery { message: Message { subject, headers, payload }, metadata, acker, .. } = delivery;
            let message = Message { subject, headers, payload: value };
            Ok(Delivery { message, metadata, original: Some(payload), acker })
        }
        Err(error) => Err(undecodable(codec, delivery, error)),
    }
}

#[cold]
fn undecodable<T, A: Settle, C: Codec<T>>(codec: &C, mut delivery: Delivery<Bytes, A>, error: Error) -> Error {
    let why = why(codec, delivery.message.headers.content_type(), &error);
    delivery.acker.mark_unreadable(why);
    let error = error.with_operation("decode").with_subject(delivery.message.subject.clone());
    error.with_undecodable(Box::new(delivery.map_acker(BoxSettle::new)))
}
