//! Subscribing to events: what is none is an error that still holds the delivery.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Backlog, Batch, BoxSettle, Consumer, Delivery, Message, QueueSubscriber, Result, Settle, Subscriber};
use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::CloudEvents;
use crate::layer;

/// # Errors
/// In the stream, [`ErrorKind::Codec`](flux_core::ErrorKind::Codec) for what is no event, in either mode, or breaks a rule of its
/// attributes; [`Error::take_undecodable`](flux_core::Error::take_undecodable) has the delivery.
impl<W: Subscriber<Bytes>> Subscriber<Bytes> for CloudEvents<W> {
    type Acker = W::Acker;
    type Deliveries = EventDeliveries<W::Deliveries>;

    async fn subscribe(&self, filter: &str) -> Result<Self::Deliveries> {
        Ok(EventDeliveries { deliveries: self.wire.subscribe(filter).await? })
    }

    fn backlog(deliveries: &Self::Deliveries) -> Option<Arc<dyn Backlog>> {
        W::backlog(&deliveries.deliveries)
    }
}

impl<W: QueueSubscriber<Bytes>> QueueSubscriber<Bytes> for CloudEvents<W> {
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<Self::Deliveries> {
        Ok(EventDeliveries { deliveries: self.wire.subscribe_group(filter, group).await? })
    }
}

impl<W: Consumer<Bytes>> Consumer<Bytes> for CloudEvents<W> {
    type Acker = W::Acker;

    async fn fetch(&self, max: usize, wait: Duration) -> Result<Batch<Bytes, W::Acker>> {
        let batch = self.wire.fetch(max, wait).await?;
        Ok(batch.into_iter().map(|item| read(item?)).collect())
    }
}

pin_project! {
    /// Deliveries of events: headers `ce-…` have the attributes, decoded, and the payload is the data.
    pub struct EventDeliveries<D> {
        #[pin]
        deliveries: D,
    }
}

impl<A: Settle, D: Stream<Item = Result<Delivery<Bytes, A>>>> Stream for EventDeliveries<D> {
    type Item = Result<Delivery<Bytes, A>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().deliveries.poll_next(cx).map(|item| item.map(|delivery| read(delivery?)))
    }
}

fn read<A: Settle>(mut delivery: Delivery<Bytes, A>) -> Result<Delivery<Bytes, A>> {
    match layer::read(&delivery.message) {
        Ok((headers, payload)) => {
            let Delivery { message, metadata, acker, .. } = delivery;
            Ok(Delivery::new(Message { subject: message.subject, headers, payload }, metadata, acker))
        }
        Err((why, error)) => {
            delivery.acker.mark_unreadable(why);
            let error = error.with_operation("read the event of").with_subject(delivery.message.subject.clone());
            Err(error.with_undecodable(Box::new(delivery.map_acker(BoxSettle::new))))
        }
    }
}

impl<D> fmt::Debug for EventDeliveries<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventDeliveries")
    }
}
