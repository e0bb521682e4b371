//! Publishing values: encode, set the content type, send.

use bytes::Bytes;

use crate::{Codec, Forwarded, Message, Publisher, Result, Typed};

impl<T, W, C> Publisher<T> for Typed<W, C>
where
    T: Send,
    W: Publisher<Bytes>,
    C: Codec<T>,
{
    type Receipt = W::Receipt;

    async fn send(&self, message: Message<T>) -> Result<W::Receipt> {
        let mut message = self.encode(message)?;
        let sending = self.telemetry.send(&message.subject, &mut message.headers);
        let result = self.wire.send(message).await;
        sending.finish(result.as_ref().map(drop));
        result
    }

    async fn forward(&self, message: Message<Forwarded<T>>) -> Result<()> {
        let (rest, payload) = message.take();
        match payload {
            Forwarded::Value(value) => self.send(rest.map(|()| value)).await.map(drop),
            Forwarded::Encoded(bytes) => self.wire.send(rest.map(|()| bytes)).await.map(drop),
        }
    }

    async fn flush(&self) -> Result<()> {
        self.wire.flush().await
    }
}

impl<W, C> Typed<W, C> {
    /// Encodes the payload, and names its content type unless the publisher did.
    pub(super) fn encode<T>(&self, message: Message<T>) -> Result<Message<Bytes>>
    where
        C: Codec<T>,
    {
        let (mut rest, value) = message.take();
        match self.scratch.with(|buffer| self.codec.to_bytes(value, buffer)) {
            Ok(bytes) => {
                rest.headers.set_content_type(self.codec.content_type());
                Ok(rest.map(|()| bytes))
            }
            Err(error) => Err(error.with_operation("encode").with_subject(rest.subject)),
        }
    }
}
