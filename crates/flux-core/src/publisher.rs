//! Sending messages.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use crate::{BoxFuture, Error, ErrorKind, Message, Result};

/// Sends messages with payload `T`.
///
/// # Delivery
/// [`Receipt`](Self::Receipt) says what is true when `send` returns: that the value is in every matching queue, that a
/// server has stored it, or only that it is in a buffer. Each transport documents its own.
///
/// # Ordering
/// Messages sent one after the other arrive in that order on a transport that keeps an order per publisher.
///
/// # Cancel safety
/// A future that is dropped before it is done has sent its message or has not; it never sends half of one.
///
/// # Errors
/// [`ErrorKind::TooLarge`] before anything is sent; [`ErrorKind::Full`], [`ErrorKind::Closed`] and
/// [`ErrorKind::Unavailable`] when the transport could not take it. On an error the message was not sent as far as the
/// transport knows.
///
/// # Implementing
/// A transport that carries bytes implements `Publisher<Bytes>` and maps subject and headers to its own; [`Typed`](crate::Typed)
/// adds every other type, content types, telemetry and the ids that travel by themselves.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot publish payloads of type `{T}`",
    label = "not a `Publisher<{T}>`",
    note = "a transport that carries bytes publishes `Bytes`; wrap it with a codec to publish other types: `bus.typed(Json)`",
    note = "a codec handles a type that implements the codec's own traits, for `Json` these are serde's; in process, the type needs `Clone + Send + 'static`"
)]
pub trait Publisher<T>: Send + Sync {
    /// What is true when [`send`](Self::send) returns.
    type Receipt: Send;

    /// Sends a message.
    fn send(&self, message: Message<T>) -> impl Future<Output = Result<Self::Receipt>> + Send;

    /// Sends `payload` under `subject`, without headers.
    fn publish(&self, subject: &str, payload: T) -> impl Future<Output = Result<Self::Receipt>> + Send
    where
        T: Send,
    {
        async move { self.send(Message::new(subject, payload)?).await }
    }

    /// Sends a message on as it came: dead letters go this way, so that their bytes stay what they were.
    ///
    /// Provided: values are sent as usual; encoded payloads are [`ErrorKind::Unsupported`]. [`Typed`](crate::Typed) sends both.
    fn forward(&self, message: Message<Forwarded<T>>) -> impl Future<Output = Result<()>> + Send
    where
        T: Send,
    {
        async move {
            let (rest, payload) = message.take();
            match payload {
                Forwarded::Value(value) => self.send(rest.map(|()| value)).await.map(drop),
                Forwarded::Encoded(_) => {
                    let error =
                        Error::new(ErrorKind::Unsupported, "this publisher carries values, not encoded payloads");
                    Err(error.with_operation("forward").with_subject(rest.subject))
                }
            }
        }
    }

    /// Waits until everything sent before is where its receipt could only promise to bring it.
    ///
    /// Provided: returns at once, for transports without a buffer of their own.
    fn flush(&self) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }
}

/// A payload that is passed on.
#[derive(Debug, Clone)]
pub enum Forwarded<T> {
    /// As a value.
    Value(T),
    /// In the bytes it came in.
    Encoded(Bytes),
}

/// The object-safe twin of [`Publisher`]. It does not tell receipts apart.
pub trait DynPublisher<T>: Send + Sync {
    /// As [`Publisher::send`].
    fn send_dyn(&self, message: Message<T>) -> BoxFuture<'_, Result<()>>;
    /// As [`Publisher::forward`].
    fn forward_dyn(&self, message: Message<Forwarded<T>>) -> BoxFuture<'_, Result<()>>;
    /// As [`Publisher::flush`].
    fn flush_dyn(&self) -> BoxFuture<'_, Result<()>>;
}

/// A boxed publisher of any transport.
pub type BoxPublisher<T> = Box<dyn DynPublisher<T>>;
/// A shared publisher of any transport.
pub type ArcPublisher<T> = Arc<dyn DynPublisher<T>>;

impl<T: Send + 'static, P: Publisher<T>> DynPublisher<T> for P {
    fn send_dyn(&self, message: Message<T>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.send(message).await.map(drop) })
    }

    fn forward_dyn(&self, message: Message<Forwarded<T>>) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.forward(message))
    }

    fn flush_dyn(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.flush())
    }
}

impl<T: Send> Publisher<T> for dyn DynPublisher<T> + '_ {
    type Receipt = ();

    fn send(&self, message: Message<T>) -> impl Future<Output = Result<()>> + Send {
        self.send_dyn(message)
    }

    fn forward(&self, message: Message<Forwarded<T>>) -> impl Future<Output = Result<()>> + Send {
        self.forward_dyn(message)
    }

    fn flush(&self) -> impl Future<Output = Result<()>> + Send {
        self.flush_dyn()
    }
}

macro_rules! through_pointer {
    ($($pointer:ty),*) => {$(
        impl<T, P: Publisher<T> + ?Sized> Publisher<T> for $pointer {
            type Receipt = P::Receipt;

            fn send(&self, message: Message<T>) -> impl Future<Output = Result<Self::Receipt>> + Send {
                (**self).send(message)
            }

            fn forward(&self, message: Message<Forwarded<T>>) -> impl Future<Output = Result<()>> + Send
            where
                T: Send,
            {
                (**self).forward(message)
            }

            fn flush(&self) -> impl Future<Output = Result<()>> + Send {
                (**self).flush()
            }
        }
    )*};
}
through_pointer!(&P, Arc<P>, Box<P>);
