//! Taking messages out of a stream: as they come, or in batches.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Backlog, Batch, Delivery, Error, ErrorKind, Metadata, Result};
use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::MemAcker;
use super::deadlines::FOREVER;
use super::handle::{ConsumerBacklog, MemConsumer, deleted};
use super::state::{State, closed};

/// The deliveries of one subscription to a consumer.
///
/// Takes a message only when it is polled. Ends when the consumer is deleted, or the stream was closed and everything is settled.
/// Dropping it settles nothing.
pub struct StreamDeliveries {
    consumer: MemConsumer,
    /// Which of the consumer's subscriptions.
    number: u64,
    /// Wakes for what will be due without anybody's doing.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What a look into the stream found.
enum Found {
    One(Delivery<Bytes, MemAcker>),
    Nothing { until: Option<Instant> },
    End(End),
}

/// Why a subscription ends.
enum End {
    Closed,
    Deleted,
}

impl StreamDeliveries {
    pub(super) fn new(consumer: MemConsumer) -> Self {
        let number = consumer.inner.with(|state| state.consumer(consumer.id).map(|(state, ..)| state.subscribe()));
        Self { consumer, number: number.unwrap_or_default(), timer: None }
    }

    pub(super) fn backlog(&self) -> Arc<dyn Backlog> {
        Arc::new(ConsumerBacklog { inner: Arc::clone(&self.consumer.inner), id: self.consumer.id })
    }

    /// Takes the next delivery, or leaves the waker where the next change finds it. What ran out after `cutoff` waits for
    /// another look, so that a batch ends although its messages run out while it is taken.
    fn look(&self, cx: &Context<'_>, cutoff: Instant) -> Found {
        match self.consumer.inner.now(|state, now| self.find(state, now, cutoff)) {
            Found::Nothing { .. } => {}
            found => return found,
        }
        // Wakers are foreign code, so this one is cloned, and another one dropped, without the lock.
        let waker = cx.waker().clone();
        let (found, _spare) = self.consumer.inner.now(|state, now| self.find_or_wait(state, now, cutoff, waker));
        found
    }

    fn find(&self, state: &mut State, now: Instant, cutoff: Instant) -> Found {
        let closed = state.closed;
        let Some((consumer, log, after)) = state.consumer(self.consumer.id) else { return Found::End(End::Deleted) };
        let Some((entry, deliveries)) = consumer.next(log, now, cutoff, after) else {
            return if closed && consumer.unsettled() == 0 {
                Found::End(End::Closed)
            } else {
                Found::Nothing { until: None }
            };
        };
        consumer.delivered += 1;
        let mut metadata = Metadata::default();
        let facts = &mut *metadata;
        facts.stream = Some(Arc::clone(&self.consumer.inner.name));
        facts.sequence = Some(entry.sequence);
        facts.consumer_sequence = Some(consumer.delivered);
        facts.delivered = Some(deliveries);
        facts.pending = Some(consumer.pending);
        facts.ack_wait = Some(consumer.config.wait(deliveries));
        facts.max_deliver = consumer.config.max_deliver;
        let (message, stored, sequence) = (entry.message.clone(), entry.stored, entry.sequence);
        metadata.time = Some(state.time_of(stored));
        let inner = Arc::clone(&self.consumer.inner);
        let acker = MemAcker { inner, consumer: self.consumer.id, sequence };
        Found::One(Delivery::new(message, metadata, acker))
    }

    fn find_or_wait(&self, state: &mut State, now: Instant, cutoff: Instant, waker: Waker) -> (Found, Option<Waker>) {
        let found = self.find(state, now, cutoff);
        if !matches!(found, Found::Nothing { .. }) {
            return (found, Some(waker));
        }
        let expiry = state.next_expiry();
        let Some((consumer, ..)) = state.consumer(self.consumer.id) else { return (found, Some(waker)) };
        let spare = consumer.wait(self.number, waker);
        // What is too old makes room for what waits, or is the last thing to wait for.
        let expiry = expiry.filter(|_| consumer.unsettled() > 0);
        let until = consumer.next_deadline().into_iter().chain(expiry).min();
        (Found::Nothing { until }, spare)
    }

    /// Waits for a moment, if it is not over yet.
    fn poll_until(&mut self, cx: &mut Context<'_>, until: Option<Instant>) -> Poll<()> {
        let Some(until) = until else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    }
}

/// Takes up to `max` deliveries, waiting up to `wait` for them.
pub(super) async fn fetch(consumer: &MemConsumer, max: usize, wait: Duration) -> Result<Batch<Bytes, MemAcker>> {
    if max == 0 {
        return Err(Error::new(ErrorKind::InvalidInput, "a batch has room for at least 1").with_operation("fetch"));
    }
    let mut deliveries = StreamDeliveries::new(consumer.clone());
    let mut over = std::pin::pin!(tokio::time::sleep(wait.min(FOREVER)));
    let mut batch = Vec::new();
    let end = poll_fn(|cx| {
        let cutoff = Instant::now();
        while batch.len() < max {
            match deliveries.look(cx, cutoff) {
                Found::One(delivery) => batch.push(Ok(delivery)),
                Found::End(end) => return Poll::Ready(Some(end)),
                Found::Nothing { until } => {
                    if over.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(None);
                    }
                    if deliveries.poll_until(cx, until).is_ready() {
                        cx.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(None)
    })
    .await;
    match end {
        Some(End::Closed) if batch.is_empty() => Err(closed().with_operation("fetch")),
        Some(End::Deleted) if batch.is_empty() => Err(deleted().with_operation("fetch")),
        _ => Ok(batch),
    }
}

impl Stream for StreamDeliveries {
    type Item = Result<Delivery<Bytes, MemAcker>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.look(cx, Instant::now()) {
                Found::One(delivery) => return Poll::Ready(Some(Ok(delivery))),
                Found::End(_) => return Poll::Ready(None),
                Found::Nothing { until } => match self.poll_until(cx, until) {
                    Poll::Ready(()) => {}
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }
}

impl Drop for StreamDeliveries {
    fn drop(&mut self) {
        let _waker = self.consumer.inner.with(|state| {
            state.after.settled = true;
            let (consumer, ..) = state.consumer(self.consumer.id)?;
            consumer.unsubscribe(self.number)
        });
    }
}

impl fmt::Debug for StreamDeliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamDeliveries").field("consumer", &self.consumer).finish_non_exhaustive()
    }
}
