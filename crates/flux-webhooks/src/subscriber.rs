//! Subscribing: what is not signed is refused, and goes no further.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use flux_core::{
    BoxFuture, Delivery, Error, ErrorKind, Instance, Message, Outcome, QueueSubscriber, Result, Settle, Subject,
    Subscriber, Unreadable, header,
};
use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::signature::{self, ID};
use crate::{Secrets, Webhooks};

/// A message without `X-Message-ID` gets its `webhook-id` as such: a replay within the tolerance has the same, and a stage that
/// deduplicates finds it.
///
/// # Errors
/// In the stream, [`ErrorKind::Rejected`] for what is not signed, or not by a secret of ours, or not now. It has been settled for
/// good; over HTTP its sender is told 401. Its bytes are not kept: a stranger must not fill the dead letters.
impl<W: Subscriber<Bytes, Deliveries: 'static>> Subscriber<Bytes> for Webhooks<W> {
    type Acker = W::Acker;
    type Deliveries = SignedDeliveries<W::Deliveries>;

    async fn subscribe(&self, filter: &str) -> Result<Self::Deliveries> {
        Ok(self.check(self.wire.subscribe(filter).await?))
    }
}

impl<W: QueueSubscriber<Bytes, Deliveries: 'static>> QueueSubscriber<Bytes> for Webhooks<W> {
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<Self::Deliveries> {
        Ok(self.check(self.wire.subscribe_group(filter, group).await?))
    }

    fn instance(&self) -> Option<Instance> {
        self.wire.instance()
    }
}

impl<W> Webhooks<W> {
    fn check<D>(&self, deliveries: D) -> SignedDeliveries<D> {
        SignedDeliveries { deliveries, secrets: Arc::clone(&self.secrets), refusing: None }
    }
}

/// A delivery that is being refused, and the error for it.
struct Refusing {
    settling: BoxFuture<'static, Result<()>>,
    error: Option<Error>,
}

pin_project! {
    /// Deliveries whose signature is right.
    pub struct SignedDeliveries<D> {
        #[pin]
        deliveries: D,
        secrets: Arc<Secrets>,
        refusing: Option<Refusing>,
    }
}

impl<A: Settle, D: Stream<Item = Result<Delivery<Bytes, A>>>> Stream for SignedDeliveries<D> {
    type Item = Result<Delivery<Bytes, A>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        loop {
            if let Some(refusing) = this.refusing {
                // A sender that cannot be told has been refused all the same.
                let _ = ready!(refusing.settling.as_mut().poll(cx));
                let error = refusing.error.take();
                *this.refusing = None;
                return Poll::Ready(error.map(Err));
            }
            let mut delivery = match ready!(this.deliveries.as_mut().poll_next(cx)) {
                Some(Ok(delivery)) => delivery,
                other => return Poll::Ready(other),
            };
            let Message { subject, headers, payload } = &mut delivery.message;
            match signature::verify(this.secrets, headers, payload, SystemTime::now()) {
                Ok(()) => {
                    if let Some(id) = headers.get(&ID).filter(|_| !headers.contains(&header::MESSAGE_ID)) {
                        let id = id.to_owned();
                        headers.insert(header::MESSAGE_ID, id)?;
                    }
                    return Poll::Ready(Some(Ok(delivery)));
                }
                Err(flaw) => {
                    let error = refused(flaw, subject);
                    delivery.acker.mark_unreadable(Unreadable::Signature);
                    let settling = Box::pin(delivery.acker.settle(Outcome::term(flaw)));
                    *this.refusing = Some(Refusing { settling, error: Some(error) });
                }
            }
        }
    }
}

fn refused(flaw: &'static str, subject: &Subject) -> Error {
    Error::new(ErrorKind::Rejected, flaw).with_operation("check the signature of").with_subject(subject.clone())
}

impl<D> fmt::Debug for SignedDeliveries<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedDeliveries")
    }
}
