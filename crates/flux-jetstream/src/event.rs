//! What happens to subscriptions, for those who want to know.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use flux_core::BoxFuture;

/// Something that happened to a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It gets no messages until it is rebuilt.
    Lost {
        /// The stream it is to.
        stream: Arc<str>,
        /// The consumer it is to.
        consumer: Arc<str>,
        /// Why, in words.
        reason: String,
    },
    /// It goes on.
    Rebuilt {
        /// The stream it is to.
        stream: Arc<str>,
        /// The consumer it is to now; an ephemeral one has another name than before.
        consumer: Arc<str>,
        /// Whether the consumer had to be made anew. It begins at the oldest message that this subscription has not settled.
        recreated: bool,
    },
    /// This listener was too slow and missed so many events.
    Missed(u64),
}

/// Events as they come. Bounded: a slow listener misses the oldest and is told how many.
pub struct Events {
    next: BoxFuture<'static, (Result<Event, RecvError>, broadcast::Receiver<Event>)>,
}

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self { next: Box::pin(receive(receiver)) }
    }
}

async fn receive(mut receiver: broadcast::Receiver<Event>) -> (Result<Event, RecvError>, broadcast::Receiver<Event>) {
    let received = receiver.recv().await;
    (received, receiver)
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let Poll::Ready((received, receiver)) = self.next.as_mut().poll(cx) else { return Poll::Pending };
        self.next = Box::pin(receive(receiver));
        Poll::Ready(match received {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(Event::Missed(missed)),
            Err(RecvError::Closed) => None,
        })
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}
