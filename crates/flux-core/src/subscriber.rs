//! Receiving messages as they come.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::{Backlog, BoxFuture, BoxSettle, Delivery, Instance, Result, Settle};

/// Receives messages with payload `T`.
///
/// # Delivery
/// The subscription is live when `subscribe` returns: what is published after that is delivered. On a transport that
/// keeps messages until they are settled, dropping the stream drops nothing that was not settled.
///
/// # Ordering
/// Deliveries come in the order the transport documents.
///
/// # Cancel safety
/// Dropping the stream, or a future that waits for its next item, loses no message on a transport that redelivers.
///
/// # Errors
/// `subscribe` fails with [`ErrorKind::InvalidSubject`](crate::ErrorKind::InvalidSubject) or what the transport says. An
/// error in the stream is about one delivery; the stream goes on. It ends when the transport is closed or the
/// subscription is lost for good.
///
/// # Implementing
/// Take from the peer no more than was asked for: where a settlement has a deadline, a message that waits in a client's
/// buffer is a duplicate in the making.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot deliver payloads of type `{T}`",
    label = "not a `Subscriber<{T}>`",
    note = "a transport that carries bytes delivers `Bytes`; wrap it with a codec to receive other types: `bus.typed(Json)`",
    note = "in process, the type needs `Clone + Send + 'static`"
)]
pub trait Subscriber<T>: Send + Sync {
    /// Settles a delivery; [`NoAck`](crate::NoAck) on an at-most-once transport.
    type Acker: Settle;
    /// The deliveries of one subscription. Dropping it unsubscribes.
    type Deliveries: Stream<Item = Result<Delivery<T, Self::Acker>>> + Send;

    /// Subscribes to every subject that `filter` matches.
    fn subscribe(&self, filter: &str) -> impl Future<Output = Result<Self::Deliveries>> + Send;

    /// How much of a subscription is not done yet, on a transport that can tell. Provided: it cannot.
    fn backlog(_deliveries: &Self::Deliveries) -> Option<Arc<dyn Backlog>> {
        None
    }
}

/// A [`Subscriber`] whose subscriptions can share their messages out among several members.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no queue groups for payloads of type `{T}`",
    note = "remove the queue group, or use a transport that has them: in-process channels, NATS, JetStream"
)]
pub trait QueueSubscriber<T>: Subscriber<T> {
    /// Subscribes as a member of `group`: each message goes to one of the members.
    ///
    /// # Errors
    /// As [`Subscriber::subscribe`], and [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when the group has no
    /// name, or a name the transport does not take.
    fn subscribe_group(&self, filter: &str, group: &str) -> impl Future<Output = Result<Self::Deliveries>> + Send;

    /// Which transport this is a handle of: members of a group on two transports do not share. Provided: it cannot tell, and is
    /// taken for a handle of any other transport of its type.
    fn instance(&self) -> Option<Instance> {
        None
    }
}

/// The object-safe twin of [`Subscriber`].
pub trait DynSubscriber<T>: Send + Sync {
    /// As [`Subscriber::subscribe`].
    fn subscribe_dyn<'s>(&'s self, filter: &'s str) -> BoxFuture<'s, Result<BoxDeliveries<T>>>;
}

/// The object-safe twin of [`QueueSubscriber`].
pub trait DynQueueSubscriber<T>: DynSubscriber<T> {
    /// As [`QueueSubscriber::subscribe_group`].
    fn subscribe_group_dyn<'s>(&'s self, filter: &'s str, group: &'s str) -> BoxFuture<'s, Result<BoxDeliveries<T>>>;
    /// As [`QueueSubscriber::instance`].
    fn instance_dyn(&self) -> Option<Instance>;
}

/// A boxed subscriber of any transport.
pub type BoxSubscriber<T> = Box<dyn DynSubscriber<T>>;
/// A shared subscriber of any transport.
pub type ArcSubscriber<T> = Arc<dyn DynSubscriber<T>>;
/// A boxed subscriber of any transport that has queue groups.
pub type BoxQueueSubscriber<T> = Box<dyn DynQueueSubscriber<T>>;
/// A shared subscriber of any transport that has queue groups.
pub type ArcQueueSubscriber<T> = Arc<dyn DynQueueSubscriber<T>>;

impl<T: 'static, S: Subscriber<T, Deliveries: 'static>> DynSubscriber<T> for S {
    fn subscribe_dyn<'s>(&'s self, filter: &'s str) -> BoxFuture<'s, Result<BoxDeliveries<T>>> {
        Box::pin(async move { Ok(BoxDeliveries::of::<S>(self.subscribe(filter).await?)) })
    }
}

impl<T: 'static, S: QueueSubscriber<T, Deliveries: 'static>> DynQueueSubscriber<T> for S {
    fn subscribe_group_dyn<'s>(&'s self, filter: &'s str, group: &'s str) -> BoxFuture<'s, Result<BoxDeliveries<T>>> {
        Box::pin(async move { Ok(BoxDeliveries::of::<S>(self.subscribe_group(filter, group).await?)) })
    }

    fn instance_dyn(&self) -> Option<Instance> {
        self.instance()
    }
}

macro_rules! through_dyn {
    ($($twin:ident),*) => {$(
        impl<T> Subscriber<T> for dyn $twin<T> + '_ {
            type Acker = BoxSettle;
            type Deliveries = BoxDeliveries<T>;

            async fn subscribe(&self, filter: &str) -> Result<Self::Deliveries> {
                self.subscribe_dyn(filter).await
            }

            fn backlog(deliveries: &Self::Deliveries) -> Option<Arc<dyn Backlog>> {
                deliveries.backlog.clone()
            }
        }
    )*};
}
through_dyn!(DynSubscriber, DynQueueSubscriber);

#[diagnostic::do_not_recommend]
impl<T> QueueSubscriber<T> for dyn DynQueueSubscriber<T> + '_ {
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<Self::Deliveries> {
        self.subscribe_group_dyn(filter, group).await
    }

    fn instance(&self) -> Option<Instance> {
        self.instance_dyn()
    }
}

macro_rules! through_pointer {
    ($($pointer:ty),*) => {$(
        impl<T, S: Subscriber<T> + ?Sized> Subscriber<T> for $pointer {
            type Acker = S::Acker;
            type Deliveries = S::Deliveries;

            fn subscribe(&self, filter: &str) -> impl Future<Output = Result<Self::Deliveries>> + Send {
                (**self).subscribe(filter)
            }

            fn backlog(deliveries: &Self::Deliveries) -> Option<Arc<dyn Backlog>> {
                S::backlog(deliveries)
            }
        }

        #[diagnostic::do_not_recommend]
        impl<T, S: QueueSubscriber<T> + ?Sized> QueueSubscriber<T> for $pointer {
            fn subscribe_group(&self, filter: &str, group: &str) -> impl Future<Output = Result<Self::Deliveries>> + Send {
                (**self).subscribe_group(filter, group)
            }

            fn instance(&self) -> Option<Instance> {
                (**self).instance()
            }
        }
    )*};
}
through_pointer!(&S, Arc<S>, Box<S>);

type AnyDeliveries<T> = dyn Stream<Item = Result<Delivery<T, BoxSettle>>> + Send;

/// A boxed stream of deliveries of any transport.
pub struct BoxDeliveries<T> {
    deliveries: Pin<Box<AnyDeliveries<T>>>,
    backlog: Option<Arc<dyn Backlog>>,
}

impl<T: 'static> BoxDeliveries<T> {
    /// Boxes the deliveries of `S`, and keeps what tells how far behind they are.
    fn of<S: Subscriber<T, Deliveries: 'static>>(deliveries: S::Deliveries) -> Self {
        let backlog = S::backlog(&deliveries);
        Self { backlog, ..Self::new(deliveries) }
    }

    /// Boxes `deliveries`. They have no [`backlog`](Subscriber::backlog).
    pub fn new<A: Settle>(deliveries: impl Stream<Item = Result<Delivery<T, A>>> + Send + 'static) -> Self {
        Self { deliveries: Box::pin(Boxing { deliveries }), backlog: None }
    }
}

impl<T> Stream for BoxDeliveries<T> {
    type Item = Result<Delivery<T, BoxSettle>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.deliveries.as_mut().poll_next(cx)
    }
}

impl<T> fmt::Debug for BoxDeliveries<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxDeliveries")
    }
}

pin_project! {
    /// Boxes the acker of each delivery.
    struct Boxing<D> {
        #[pin]
        deliveries: D,
    }
}

impl<T, A: Settle, D: Stream<Item = Result<Delivery<T, A>>>> Stream for Boxing<D> {
    type Item = Result<Delivery<T, BoxSettle>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.project().deliveries.poll_next(cx);
        next.map(|item| item.map(|delivery| Ok(delivery?.map_acker(BoxSettle::new))))
    }
}

impl<D> fmt::Debug for Boxing<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Boxing")
    }
}
