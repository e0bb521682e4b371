//! Publishing values: encode, set the content type, send.

use bytes::Bytes;

use crate::{Codec, Forwarded, Headers, Message, Publisher, Result, Subject, Typed};

impl<T, W, C> Publisher<T> for Typed<W, C>
where
    T: Send,
    W: Publisher<Bytes>,
    C: Codec<T>,
{
    type Receipt = W::Receipt;

    async fn send(&self, message: Message<T>) -> Result<W::Receipt> {
        let Message { subject, mut headers, payload } = message;
        let payload = self.encode(&subject, &mut headers, payload)?;
        let sending = self.telemetry.send(&subject, &mut headers);
        let result = self.wire.send(Message { subject, headers, payload }).await;
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
    #[inline]
    pub(super) fn encode<T>(&self, subject: &Subject, headers: &mut Headers, payload: T) -> Result<Bytes>
    where
        C: Codec<T>,
    {
        headers.set_content_type(self.codec.content_type());
        let encoded = self.scratch.with(|buffer| self.codec.to_bytes(payload, buffer));
        encoded.map_err(|error| error.with_operation("encode").with_subject(subject.clone()))
    }
}
