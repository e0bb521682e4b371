//! Publishing values: encode, set the content type, send.

use bytes::Bytes;

use super::scratch::Scratch;
use crate::telemetry::Sending;
use crate::{Codec, Error, Forwarded, Headers, Message, Publisher, Result, Subject, Typed};

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

    /// As [`send`](Publisher::send) of a message without headers, which is not put together first to be taken apart again.
    async fn publish(&self, subject: &str, payload: T) -> Result<W::Receipt> {
        let (subject, payload) = Scratch::lend(|scratch| {
            let subject = scratch.subject(subject)?;
            match self.codec.to_bytes(payload, &mut scratch.buffer) {
                Ok(payload) => Ok((subject, payload)),
                Err(error) => Err(unencodable(error, &subject)),
            }
        })?;
        let mut headers = Headers::with_content_type(self.codec.content_type());
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
    /// Encodes a message and begins to send it, as `send` does: for transports with further ways to publish, which finish the
    /// [`Sending`] themselves.
    ///
    /// # Errors
    /// Those of the codec.
    pub fn prepare<T>(&self, message: Message<T>) -> Result<(Message<Bytes>, Sending<'_>)>
    where
        C: Codec<T>,
    {
        let Message { subject, mut headers, payload } = message;
        let payload = self.encode(&subject, &mut headers, payload)?;
        let sending = self.telemetry.send(&subject, &mut headers);
        Ok((Message { subject, headers, payload }, sending))
    }

    /// Encodes the payload, and names its content type unless the publisher did.
    #[inline]
    pub(super) fn encode<T>(&self, subject: &Subject, headers: &mut Headers, payload: T) -> Result<Bytes>
    where
        C: Codec<T>,
    {
        headers.set_content_type(self.codec.content_type());
        let encoded = Scratch::lend(|scratch| self.codec.to_bytes(payload, &mut scratch.buffer));
        encoded.map_err(|error| unencodable(error, subject))
    }
}

#[cold]
fn unencodable(error: Error, subject: &Subject) -> Error {
    error.with_operation("encode").with_subject(subject.clone())
}
