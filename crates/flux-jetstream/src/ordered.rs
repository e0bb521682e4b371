//! Reading a stream in order, without settling anything.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flux_core::{Delivery, NoAck, Result, SubjectFilter, Subscriber, Telemetry, Typed};
use futures_core::Stream;

use crate::config::ConsumerConfig;
use crate::jetstream::during;
use crate::{JsDeliveries, JsStream};

/// Reads a [`JsStream`] in order. Nothing is settled, and nothing comes twice: what is lost on the way is noticed by the gap
/// it leaves, and read again from there.
#[derive(Debug, Clone)]
pub struct JsOrdered {
    stream: JsStream,
    config: ConsumerConfig,
}

impl JsStream {
    /// Reads the stream in order. Of the configuration, filters, deliver policy, replay policy, headers only and prefetch count.
    #[must_use]
    pub fn ordered(&self, config: ConsumerConfig) -> JsOrdered {
        JsOrdered { stream: self.clone(), config: config.unsettled() }
    }
}

impl JsOrdered {
    /// The same for values.
    pub fn typed<C>(self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self, codec, Telemetry::new("nats"))
    }
}

impl Subscriber<Bytes> for JsOrdered {
    type Acker = NoAck;
    type Deliveries = OrderedDeliveries;

    async fn subscribe(&self, filter: &str) -> Result<OrderedDeliveries> {
        SubjectFilter::new(filter)?;
        let mut config = self.config.clone();
        if filter != ">" {
            config.filters = vec![filter.to_owned()];
        }
        let consumer = self.stream.consumer(config).await?;
        let deliveries = JsDeliveries::open(consumer).await.map_err(during("subscribe"))?;
        Ok(OrderedDeliveries { deliveries })
    }
}

/// The deliveries of a [`JsOrdered`].
pub struct OrderedDeliveries {
    deliveries: JsDeliveries,
}

impl Stream for OrderedDeliveries {
    type Item = Result<Delivery<Bytes, NoAck>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.deliveries).poll_next(cx);
        next.map(|item| item.map(|delivery| Ok(delivery?.map_acker(|_| NoAck))))
    }
}

impl fmt::Debug for OrderedDeliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderedDeliveries").field("deliveries", &self.deliveries).finish()
    }
}
