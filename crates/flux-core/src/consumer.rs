//! Receiving messages at the caller's own pace.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::{BoxFuture, BoxSettle, Delivery, Result, Settle};

/// What one [`Consumer::fetch`] brought: each item a delivery, or the error of one that did not decode.
pub type Batch<T, A> = Vec<Result<Delivery<T, A>>>;

/// Fetches messages with payload `T` in batches.
///
/// # Delivery
/// `fetch(max, wait)` returns as soon as it has `max` deliveries, and otherwise, after `wait`, with what there is. An
/// empty batch means that nothing came in time; it is not an error.
///
/// # Cancel safety
/// A fetch that is dropped loses nothing: what it had taken is delivered again.
///
/// # Errors
/// [`ErrorKind::Closed`](crate::ErrorKind::Closed) when the transport or the consumer is gone, or what the transport says.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `fetch` for payloads of type `{T}`",
    note = "only transports that keep messages can be pulled from: `Mem::stream`, a log on disk, JetStream"
)]
pub trait Consumer<T>: Send + Sync {
    /// Settles a delivery.
    type Acker: Settle;

    /// Takes up to `max` deliveries, waiting up to `wait` for them.
    fn fetch(&self, max: usize, wait: Duration) -> impl Future<Output = Result<Batch<T, Self::Acker>>> + Send;
}

/// The object-safe twin of [`Consumer`].
pub trait DynConsumer<T>: Send + Sync {
    /// As [`Consumer::fetch`].
    fn fetch_dyn(&self, max: usize, wait: Duration) -> BoxFuture<'_, Result<Batch<T, BoxSettle>>>;
}

/// A boxed consumer of any transport.
pub type BoxConsumer<T> = Box<dyn DynConsumer<T>>;
/// A shared consumer of any transport.
pub type ArcConsumer<T> = Arc<dyn DynConsumer<T>>;

impl<T: 'static, C: Consumer<T>> DynConsumer<T> for C {
    fn fetch_dyn(&self, max: usize, wait: Duration) -> BoxFuture<'_, Result<Batch<T, BoxSettle>>> {
        Box::pin(async move {
            let batch = self.fetch(max, wait).await?;
            Ok(batch.into_iter().map(|item| Ok(item?.map_acker(BoxSettle::new))).collect())
        })
    }
}

impl<T> Consumer<T> for dyn DynConsumer<T> + '_ {
    type Acker = BoxSettle;

    fn fetch(&self, max: usize, wait: Duration) -> impl Future<Output = Result<Batch<T, BoxSettle>>> + Send {
        self.fetch_dyn(max, wait)
    }
}

macro_rules! through_pointer {
    ($($pointer:ty),*) => {$(
        impl<T, C: Consumer<T> + ?Sized> Consumer<T> for $pointer {
            type Acker = C::Acker;

            fn fetch(&self, max: usize, wait: Duration) -> impl Future<Output = Result<Batch<T, C::Acker>>> + Send {
                (**self).fetch(max, wait)
            }
        }
    )*};
}
through_pointer!(&C, Arc<C>, Box<C>);
