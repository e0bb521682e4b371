//! Receiving messages as they come.

use std::pin::Pin;
use std::task::{Context, Poll};

use flux_core::{Bytes, Delivery, Metadata, NoAck, Result, SubjectFilter, Subscriber};
use futures_core::Stream;

use crate::error::failed;
use crate::wire::{self, Native};
use crate::{{Name}};

/// The deliveries of one subscription. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Deliveries {
    incoming: std::vec::IntoIter<Native>,
}

impl Subscriber<Bytes> for {{Name}} {
    type Acker = NoAck;
    type Deliveries = Deliveries;

    async fn subscribe(&self, filter: &str) -> Result<Deliveries> {
        let filter = SubjectFilter::new(filter)?;
        let incoming = Self::read(filter.as_str()).map_err(|native| failed("subscribe", native))?;
        Ok(Deliveries { incoming })
    }
}

impl Stream for Deliveries {
    type Item = Result<Delivery<Bytes>>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.incoming.next().map(wire::decode);
        Poll::Ready(next.map(|message| Ok(Delivery::new(message?, Metadata::default(), NoAck))))
    }
}
