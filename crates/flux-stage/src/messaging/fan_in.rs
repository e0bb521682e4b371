//! Several subscriptions as one.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use flux_core::{Result, Subscriber};
use futures_buffered::MergeBounded;
use futures_core::Stream;

/// Subscribes to each of several subscribers, and merges what they deliver as it comes.
///
/// Each delivery keeps the handle of the transport it came from. The stream ends when all have ended. Subscribers of
/// different types fit in one list as [`ArcSubscriber`](flux_core::ArcSubscriber)s.
///
/// # Errors
/// `subscribe` fails when one of them does; the others are then unsubscribed.
#[derive(Debug, Clone)]
pub struct Merged<S> {
    subscribers: Vec<S>,
}

impl<S> Merged<S> {
    /// These, as one.
    pub fn new(subscribers: impl IntoIterator<Item = S>) -> Self {
        Self { subscribers: subscribers.into_iter().collect() }
    }
}

impl<T, S: Subscriber<T>> Subscriber<T> for Merged<S> {
    type Acker = S::Acker;
    type Deliveries = MergedDeliveries<S::Deliveries>;

    async fn subscribe(&self, filter: &str) -> Result<Self::Deliveries> {
        let mut all = Vec::with_capacity(self.subscribers.len());
        for subscriber in &self.subscribers {
            all.push(subscriber.subscribe(filter).await?);
        }
        Ok(MergedDeliveries { merged: all.into_iter().collect() })
    }
}

/// The deliveries of several subscriptions, as they come.
pub struct MergedDeliveries<D> {
    merged: MergeBounded<D>,
}

impl<D: Stream> Stream for MergedDeliveries<D> {
    type Item = D::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<D::Item>> {
        Pin::new(&mut self.merged).poll_next(cx)
    }
}

impl<D> fmt::Debug for MergedDeliveries<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MergedDeliveries")
    }
}
