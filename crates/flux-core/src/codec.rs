//! From values to bytes and back.

use bytes::Bytes;

use crate::{Error, ErrorKind, Result};

/// Encodes and decodes values of type `T`.
///
/// # Errors
/// [`ErrorKind::Codec`] for a payload that does not decode or a content type that is not this codec's, and
/// [`ErrorKind::TooLarge`] for a payload over the codec's bound, before it is parsed. No payload, however hostile, may panic,
/// run without end, or take memory that its bytes and the bound do not account for.
///
/// # Implementing
/// [`content_type`](Self::content_type), [`encode`](Self::encode) and [`decode`](Self::decode) suffice.
#[diagnostic::on_unimplemented(
    message = "the codec `{Self}` does not handle `{T}`",
    label = "`{T}` has no encoding here",
    note = "`Json`, `Cbor`, `MsgPack`, `Postcard` and `Bincode` take types that derive serde's `Serialize` and `Deserialize`; `Protobuf` takes `prost::Message`; `Text` takes `String`; `Raw` takes `Bytes`"
)]
pub trait Codec<T>: Send + Sync {
    /// The media type of what this codec encodes, for example `application/json`.
    fn content_type(&self) -> &'static str;

    /// The largest payload that is decoded, in bytes.
    ///
    /// Provided: `None`, for a codec that does not say.
    fn limit(&self) -> Option<usize> {
        None
    }

    /// Appends the encoded value to `buffer`, which is empty.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`] or [`ErrorKind::TooLarge`].
    fn encode(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()>;

    /// Decodes a payload whose content type has been checked.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`] or [`ErrorKind::TooLarge`].
    fn decode(&self, payload: &Bytes) -> Result<T>;

    /// Encodes into bytes of their own; `scratch` is reused from message to message.
    ///
    /// Provided: one allocation, of just the size of the payload.
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode).
    fn to_bytes(&self, value: T, scratch: &mut Vec<u8>) -> Result<Bytes> {
        scratch.clear();
        self.encode(&value, scratch)?;
        Ok(Bytes::copy_from_slice(scratch))
    }

    /// Whether this codec reads payloads of this content type.
    ///
    /// Provided: its own, and no other.
    fn reads(&self, content_type: &str) -> bool {
        same_media_type(content_type, self.content_type())
    }

    /// Decodes a payload that came with this `Content-Type`, or with none.
    ///
    /// Provided: a payload without content type is taken on trust; with one that this codec does not [read](Self::reads) it is refused.
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode), and [`ErrorKind::Codec`] naming both content types.
    fn decode_as(&self, content_type: Option<&str>, payload: &Bytes) -> Result<T> {
        match content_type {
            Some(found) if !self.reads(found) => {
                let shown: String = found.chars().take(80).collect();
                let message = format!("the payload is `{shown}`, this codec reads `{}`", self.content_type());
                Err(Error::new(ErrorKind::Codec, message))
            }
            _ => self.decode(payload),
        }
    }
}

/// Whether two content types name the same media type: parameters after `;` and ASCII case do not count (RFC 9110, 8.3.1).
#[must_use]
pub fn same_media_type(one: &str, other: &str) -> bool {
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_owned();
    // In process both are the codec's own constant.
    std::ptr::eq(one, other) || one == other || essence(one).eq_ignore_ascii_case(&essence(other))
}

macro_rules! through_pointer {
    ($($pointer:ty),*) => {$(
        impl<T, C: Codec<T> + ?Sized> Codec<T> for $pointer {
            fn content_type(&self) -> &'static str {
                (**self).content_type()
            }

            fn limit(&self) -> Option<usize> {
                (**self).limit()
            }

            fn encode(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()> {
                (**self).encode(value, buffer)
            }

            fn decode(&self, payload: &Bytes) -> Result<T> {
                (**self).decode(payload)
            }

            fn to_bytes(&self, value: T, scratch: &mut Vec<u8>) -> Result<Bytes> {
                (**self).to_bytes(value, scratch)
            }

            fn reads(&self, content_type: &str) -> bool {
                (**self).reads(content_type)
            }

            fn decode_as(&self, content_type: Option<&str>, payload: &Bytes) -> Result<T> {
                (**self).decode_as(content_type, payload)
            }
        }
    )*};
}
through_pointer!(&C, std::sync::Arc<C>, Box<C>);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::{Codec, same_media_type};
    use crate::Result;

    struct Four;

    impl Codec<u8> for Four {
        fn content_type(&self) -> &'static str {
            "application/x-four"
        }

        fn limit(&self) -> Option<usize> {
            Some(4)
        }

        fn encode(&self, value: &u8, buffer: &mut Vec<u8>) -> Result<()> {
            buffer.push(*value);
            Ok(())
        }

        fn decode(&self, payload: &Bytes) -> Result<u8> {
            Ok(payload.first().copied().unwrap_or_default())
        }
    }

    #[test]
    fn a_pointer_to_a_codec_says_what_the_codec_says() {
        let shared: Arc<dyn Codec<u8>> = Arc::new(Four);
        assert_eq!((shared.limit(), shared.content_type()), (Some(4), "application/x-four"));
    }

    #[test]
    fn parameters_and_case_do_not_count() {
        assert!(same_media_type("application/json", "Application/JSON; charset=utf-8"));
        assert!(!same_media_type("application/json", "application/cbor"));
        assert!(!same_media_type("", "application/json"));
    }
}
