//! Taking messages out of a stream: as they come, or in batches.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Backlog, Batch, Delivery, Error, ErrorKind, Metadata, Result};
use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::MemAcker;
use super::handle::{ConsumerBacklog, MemConsumer, deleted};

/// The deliveries of one subscription to a consumer.
///
/// Takes a message only when it is polled. Ends when the consumer is deleted, or the stream was closed and everything is settled.
/// Dropping it settles nothing.
pub struct StreamDeliveries {
    consumer: MemConsumer,
    /// Wakes for what will be due without anybody's doing.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What a look into the stream found.
enum Found {
    One(Delivery<Bytes, MemAcker>),
    Nothing { until: Option<Instant> },
    End,
}

impl StreamDeliveries {
    pub(super) fn new(consumer: MemConsumer) -> Self {
        if let Some((state, _)) = consumer.inner.lock().consumer(consumer.id) {
            state.subscriptions += 1;
        }
        Self { consumer, timer: None }
    }

    pub(super) fn backlog(&self) -> Arc<dyn Backlog> {
        Arc::new(ConsumerBacklog { inner: Arc::clone(&self.consumer.inner), id: self.consumer.id })
    }

    fn poll_delivery(&mut self, cx: &mut Context<'_>) -> Poll<Option<Delivery<Bytes, MemAcker>>> {
        loop {
            let until = match look(&self.consumer, cx) {
                Found::One(delivery) => return Poll::Ready(Some(delivery)),
                Found::End => return Poll::Ready(None),
                Found::Nothing { until: None } => return Poll::Pending,
                Found::Nothing { until: Some(until) } => until,
            };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
            if timer.deadline() != until {
                timer.as_mut().reset(until);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// Takes the next delivery, or leaves the waker where the next change finds it.
fn look(handle: &MemConsumer, cx: &Context<'_>) -> Found {
    let now = Instant::now();
    let mut state = handle.inner.lock();
    state.expire(now);
    let closed = state.closed;
    let Some((consumer, log)) = state.consumer(handle.id) else { return Found::End };
    let Some((next, entry)) = consumer.next(log, now).and_then(|next| Some((next, log.get(next.sequence)?))) else {
        if closed && consumer.unsettled() == 0 {
            return Found::End;
        }
        consumer.wait(cx.waker());
        return Found::Nothing { until: consumer.next_deadline() };
    };
    consumer.delivered += 1;
    let mut metadata = Metadata::default();
    metadata.stream = Some(Arc::clone(&handle.inner.name));
    metadata.sequence = Some(next.sequence);
    metadata.consumer_sequence = Some(consumer.delivered);
    metadata.delivered = Some(next.deliveries);
    metadata.pending = Some(consumer.pending());
    metadata.time = Some(entry.time);
    metadata.ack_wait = Some(consumer.config.wait(next.deliveries));
    metadata.max_deliver = consumer.config.max_deliver;
    let acker = MemAcker { inner: Arc::clone(&handle.inner), consumer: handle.id, sequence: next.sequence };
    Found::One(Delivery::new(entry.message.clone(), metadata, acker))
}

/// Takes up to `max` deliveries, waiting up to `wait` for them.
pub(super) async fn fetch(consumer: &MemConsumer, max: usize, wait: Duration) -> Result<Batch<Bytes, MemAcker>> {
    if max == 0 {
        return Err(Error::new(ErrorKind::InvalidInput, "a batch has room for at least 1").with_operation("fetch"));
    }
    let mut deliveries = StreamDeliveries::new(consumer.clone());
    let mut over = std::pin::pin!(tokio::time::sleep(wait));
    let mut batch = Vec::new();
    let ended = poll_fn(|cx| {
        while batch.len() < max {
            match deliveries.poll_delivery(cx) {
                Poll::Ready(Some(delivery)) => batch.push(Ok(delivery)),
                Poll::Ready(None) => return Poll::Ready(true),
                Poll::Pending => return over.as_mut().poll(cx).map(|()| false),
            }
        }
        Poll::Ready(false)
    })
    .await;
    if ended && batch.is_empty() { Err(deleted().with_operation("fetch")) } else { Ok(batch) }
}

impl Stream for StreamDeliveries {
    type Item = Result<Delivery<Bytes, MemAcker>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_delivery(cx).map(|delivery| delivery.map(Ok))
    }
}

impl Drop for StreamDeliveries {
    fn drop(&mut self) {
        if let Some((state, _)) = self.consumer.inner.lock().consumer(self.consumer.id) {
            state.subscriptions -= 1;
            // Whoever was woken for this subscription's sake may have been this one.
            state.wake();
        }
        self.consumer.inner.drained.notify_waiters();
    }
}

impl fmt::Debug for StreamDeliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamDeliveries").field("consumer", &self.consumer).finish_non_exhaustive()
    }
}
