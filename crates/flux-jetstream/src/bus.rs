//! What a stream does beyond the traits of the core, for bytes and for values alike.

use std::future::Future;

use bytes::Bytes;
use flux_core::__private::read;
use flux_core::telemetry::Sending;
use flux_core::{Codec, Error, Failure, Message, Result, Stage, Telemetry, Typed};
use futures_core::Stream;

use crate::JsStream;
use crate::atomic::{self, StoredBatch};
use crate::jetstream::during;
use crate::receipts::Receipts;
use crate::replay::{self, Replay, Replayed};

/// What a stream does beyond the traits of the core: a [`JsStream`] for bytes, and `Typed<JsStream, C>` for values.
pub trait StreamBus<T>: Send + Sync + sealed::Carries<T> {
    /// Publishes these messages, up to `in_flight` at a time without an answer, and gives back each one's receipt, in order.
    ///
    /// # Delivery
    /// Nothing is sent until the receipts are polled. A message that fails does not stop those after it, which may be stored
    /// before it is sent again.
    ///
    /// # Errors
    /// Those of [`Subscriber`](flux_core::Subscriber), for the answers. Each receipt has its own: as when publishing, but nothing is sent again.
    fn publish_all<S>(
        &self,
        messages: S,
        in_flight: usize,
    ) -> impl Future<Output = Result<Receipts<'_, Self, S, T>>> + Send
    where
        S: Stream<Item = Message<T>> + Send,
        Self: Sized,
        T: Send,
    {
        Receipts::open(self, messages, in_flight)
    }

    /// Stores these messages together or not at all. The stream must allow it:
    /// [`StreamConfig::with_atomic_publish`](crate::StreamConfig::with_atomic_publish).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](flux_core::ErrorKind::InvalidInput) for no messages or more than 1,000; else as when publishing. Nothing was stored then, unless
    /// the answer was lost.
    fn publish_atomic(&self, messages: Vec<Message<T>>) -> impl Future<Output = Result<StoredBatch>> + Send
    where
        Self: Sized,
        T: Send,
    {
        async move {
            let encode = |message| {
                let (message, sending) = self.encode(message)?;
                self.stream().check(&message)?;
                Ok((message, sending))
            };
            let encoded: Vec<_> = messages.into_iter().map(encode).collect::<Result<_>>()?;
            let (messages, sending): (Vec<_>, Vec<_>) = encoded.into_iter().unzip();
            let stored = atomic::publish(self.stream(), messages).await;
            for sending in sending.into_iter().flatten() {
                sending.finish(stored.as_ref().map(drop));
            }
            stored
        }
    }

    /// The message at this place in the stream, from 1; `None` when there is none, or none any more.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`](flux_core::ErrorKind::Codec) for one that does not decode; else what the server says.
    fn get(&self, sequence: u64) -> impl Future<Output = Result<Option<Message<T>>>> + Send
    where
        Self: Sized,
    {
        async move {
            let found = self.stream().find(sequence).await.map_err(during("get"))?;
            found.map(|message| self.decode(message)).transpose()
        }
    }

    /// Hands the messages that are in the stream now to `handler`, one after the other in their order, and returns.
    ///
    /// # Delivery
    /// Each message once, even if the connection breaks meanwhile. Nothing is settled and no consumer stays.
    ///
    /// # Errors
    /// A handler that fails ends the replay; the error's text names the message's place, from which a later one can go on. Else what the
    /// server says, when it cannot go on.
    fn replay<H>(&self, what: Replay, handler: H) -> impl Future<Output = Result<Replayed>> + Send
    where
        H: Stage<Message<T>, Error: Into<Failure>>,
        Self: Sized,
        T: Send,
    {
        replay::run(self, what, handler)
    }
}

impl<T, B: sealed::Carries<T> + Send + Sync> StreamBus<T> for B {}

pub(crate) mod sealed {
    use flux_core::telemetry::Sending;
    use flux_core::{Message, Result, Telemetry};

    use crate::JsStream;

    /// Turns messages into those that the stream carries, and back.
    #[expect(unnameable_types, reason = "only this crate implements it")]
    pub trait Carries<T> {
        #[doc(hidden)]
        fn stream(&self) -> &JsStream;
        /// Values report that they are being sent; bytes do not.
        #[doc(hidden)]
        fn encode(&self, message: Message<T>) -> Result<(Message<bytes::Bytes>, Option<Sending<'_>>)>;
        #[doc(hidden)]
        fn decode(&self, message: Message<bytes::Bytes>) -> Result<Message<T>>;
        #[doc(hidden)]
        fn telemetry(&self) -> Option<&Telemetry>;
    }
}

impl sealed::Carries<Bytes> for JsStream {
    fn stream(&self) -> &JsStream {
        self
    }

    fn encode(&self, message: Message<Bytes>) -> Result<(Message<Bytes>, Option<Sending<'_>>)> {
        Ok((message, None))
    }

    fn decode(&self, message: Message<Bytes>) -> Result<Message<Bytes>> {
        Ok(message)
    }

    fn telemetry(&self) -> Option<&Telemetry> {
        None
    }
}

impl<T, C: Codec<T>> sealed::Carries<T> for Typed<JsStream, C> {
    fn stream(&self) -> &JsStream {
        self.wire()
    }

    fn encode(&self, message: Message<T>) -> Result<(Message<Bytes>, Option<Sending<'_>>)> {
        self.prepare(message).map(|(message, sending)| (message, Some(sending)))
    }

    fn decode(&self, message: Message<Bytes>) -> Result<Message<T>> {
        let named = |error: Error| error.with_operation("decode").with_subject(message.subject.clone());
        let value = read(self.codec(), &message).map_err(named)?;
        Ok(message.map(|_| value))
    }

    fn telemetry(&self) -> Option<&Telemetry> {
        Some(Self::telemetry(self))
    }
}
