//! A byte transport and a codec make a transport of values.

mod publisher;
mod request;
mod scratch;
mod subscriber;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::panic::panic_text;
use crate::{Bytes, Codec, Error, ErrorKind, Message, Result, Telemetry, Unreadable};
pub use request::{TypedReply, TypedRequests};
pub use subscriber::TypedDeliveries;

/// Carries every type that the codec `C` handles over the byte transport `W`.
///
/// Content type, telemetry and the ids that travel by themselves are added here, once for all transports. What does not
/// decode is an error that still holds the delivery; see [`Error::take_undecodable`](crate::Error::take_undecodable).
///
/// ```
/// # use flux_core::{Bytes, Codec, Publisher, Result, Typed};
/// # async fn doc<W: Publisher<Bytes>, C: Codec<f64>>(wire: W, json: C) -> Result<()> {
/// let bus = Typed::new(wire, json);
/// bus.publish("orders.total", 9.5).await?;
/// # Ok(()) }
/// ```
pub struct Typed<W, C> {
    wire: W,
    codec: C,
    telemetry: Telemetry,
}

impl<W, C> Typed<W, C> {
    /// Adapts `wire` with `codec`. Transports offer the same as a method, `wire.typed(codec)`.
    pub fn new(wire: W, codec: C) -> Self {
        Self::with_telemetry(wire, codec, Telemetry::new("flux"))
    }

    /// As [`new`](Self::new), reporting under the name of a known messaging system.
    pub fn with_telemetry(wire: W, codec: C, telemetry: Telemetry) -> Self {
        Self { wire, codec, telemetry }
    }

    /// The transport beneath.
    pub const fn wire(&self) -> &W {
        &self.wire
    }

    /// The codec.
    pub const fn codec(&self) -> &C {
        &self.codec
    }

    /// What reports the messages that are sent and asked.
    pub const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// The transport beneath, on its own again.
    pub fn into_wire(self) -> W {
        self.wire
    }
}

impl<W: Clone, C: Clone> Clone for Typed<W, C> {
    fn clone(&self) -> Self {
        Self::with_telemetry(self.wire.clone(), self.codec.clone(), self.telemetry.clone())
    }
}

impl<W: fmt::Debug, C: fmt::Debug> fmt::Debug for Typed<W, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").field("wire", &self.wire).field("codec", &self.codec).finish_non_exhaustive()
    }
}

/// Runs a codec. One that panics, as a hand-written `Deserialize` may, has failed: one message must not end a subscription.
#[inline]
fn caught<R>(run: impl FnOnce() -> Result<R>) -> Result<R> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result,
        Err(payload) => Err(panicked(&*payload)),
    }
}

/// The value of a message, by its content type. A codec that panics has failed.
///
/// # Errors
/// Those of the codec.
#[inline]
pub fn read<T, C: Codec<T>>(codec: &C, message: &Message<Bytes>) -> Result<T> {
    caught(|| codec.decode_as(message.headers.content_type(), &message.payload))
}

#[cold]
fn panicked(payload: &(dyn Any + Send)) -> Error {
    Error::new(ErrorKind::Codec, format!("the codec panicked: {}", panic_text(payload)))
}

/// Why a payload did not decode.
fn why<T, C: Codec<T>>(codec: &C, content_type: Option<&str>, error: &Error) -> Unreadable {
    match content_type {
        Some(found) if !codec.reads(found) => Unreadable::ContentType,
        _ if error.kind() == ErrorKind::TooLarge => Unreadable::Size,
        _ => Unreadable::Payload,
    }
}
