//! What all codecs share: the bound on a payload, the content types, the errors.

use std::any::type_name;
use std::error::Error as StdError;

use bytes::Bytes;
use flux_core::{Codec, Error, ErrorKind, Result, same_media_type};

/// The bound on a payload unless `with_limit` sets another: 8 MiB.
pub const DEFAULT_LIMIT: usize = 8 * 1024 * 1024;

/// How deep a value may be nested.
#[cfg(any(feature = "bincode", feature = "cbor", feature = "msgpack", feature = "postcard"))]
pub(crate) const MAX_DEPTH: usize = 128;

/// How a type is written and read, without bounds or content types.
///
/// A type that implements it is a codec through [`Limited`]; the codecs of this crate are codecs themselves too.
pub trait Format<T>: Send + Sync {
    /// The content types that can be read. The first is the one that is written.
    const CONTENT_TYPES: &'static [&'static str];

    /// Appends the encoded value to `buffer`.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`] when the value has no encoding.
    fn write(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()>;

    /// Reads a payload of at most `limit` bytes, all of it, taking no more memory than the values that its bytes are, and at
    /// most `limit` bytes beyond.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`] when it is not an encoding of a `T`.
    fn read(&self, payload: &Bytes, limit: usize) -> Result<T>;

    /// Encodes into bytes of their own.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    fn write_bytes(&self, value: T, scratch: &mut Vec<u8>) -> Result<Bytes> {
        scratch.clear();
        self.write(&value, scratch)?;
        Ok(Bytes::copy_from_slice(scratch))
    }

    /// Whether payloads of this content type are read.
    ///
    /// Provided: those of [`CONTENT_TYPES`](Self::CONTENT_TYPES), whatever their parameters.
    fn accepts(&self, content_type: &str) -> bool {
        Self::CONTENT_TYPES.iter().any(|known| same_media_type(content_type, known))
    }
}

/// A codec with another bound than [`DEFAULT_LIMIT`]; made by `with_limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited<F> {
    format: F,
    limit: usize,
}

impl<F> Limited<F> {
    /// Bounds payloads to `limit` bytes, both ways.
    pub const fn new(format: F, limit: usize) -> Self {
        Self { format, limit }
    }
}

impl<T, F: Format<T>> Codec<T> for Limited<F> {
    fn content_type(&self) -> &'static str {
        F::CONTENT_TYPES.first().copied().unwrap_or("application/octet-stream")
    }

    fn limit(&self) -> Option<usize> {
        Some(self.limit)
    }

    fn encode(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()> {
        let before = buffer.len();
        self.format.write(value, buffer)?;
        check_size(buffer.len() - before, self.limit)
    }

    fn decode(&self, payload: &Bytes) -> Result<T> {
        check_size(payload.len(), self.limit)?;
        self.format.read(payload, self.limit)
    }

    fn to_bytes(&self, value: T, scratch: &mut Vec<u8>) -> Result<Bytes> {
        let bytes = self.format.write_bytes(value, scratch)?;
        check_size(bytes.len(), self.limit)?;
        Ok(bytes)
    }

    fn reads(&self, content_type: &str) -> bool {
        self.format.accepts(content_type)
    }

    fn decode_as(&self, content_type: Option<&str>, payload: &Bytes) -> Result<T> {
        match content_type {
            Some(found) if !self.reads(found) => {
                let (shown, read) = (shown(found), F::CONTENT_TYPES.join("`, `"));
                Err(Error::new(ErrorKind::Codec, format!("the payload is `{shown}`, this codec reads `{read}`")))
            }
            _ => self.decode(payload),
        }
    }
}

/// Makes a unit struct with a [`Format`] a codec with the default bound.
#[allow(unused_macros, reason = "a build without codecs has none to make")]
macro_rules! codec {
    ($name:ident) => {
        impl $name {
            /// This codec with a bound of `limit` bytes on a payload, instead of 8 MiB.
            #[must_use]
            pub const fn with_limit(self, limit: usize) -> $crate::Limited<Self> {
                $crate::Limited::new(self, limit)
            }
        }

        impl<T> flux_core::Codec<T> for $name
        where
            $name: $crate::Format<T>,
        {
            fn content_type(&self) -> &'static str {
                flux_core::Codec::<T>::content_type(&self.with_limit($crate::DEFAULT_LIMIT))
            }

            fn limit(&self) -> Option<usize> {
                Some($crate::DEFAULT_LIMIT)
            }

            fn encode(&self, value: &T, buffer: &mut Vec<u8>) -> flux_core::Result<()> {
                self.with_limit($crate::DEFAULT_LIMIT).encode(value, buffer)
            }

            fn decode(&self, payload: &bytes::Bytes) -> flux_core::Result<T> {
                self.with_limit($crate::DEFAULT_LIMIT).decode(payload)
            }

            fn to_bytes(&self, value: T, scratch: &mut Vec<u8>) -> flux_core::Result<bytes::Bytes> {
                self.with_limit($crate::DEFAULT_LIMIT).to_bytes(value, scratch)
            }

            fn reads(&self, content_type: &str) -> bool {
                flux_core::Codec::<T>::reads(&self.with_limit($crate::DEFAULT_LIMIT), content_type)
            }

            fn decode_as(&self, content_type: Option<&str>, payload: &bytes::Bytes) -> flux_core::Result<T> {
                self.with_limit($crate::DEFAULT_LIMIT).decode_as(content_type, payload)
            }
        }
    };
}
#[allow(unused_imports, reason = "a build without codecs has none to make")]
pub(crate) use codec;

/// As much of a content type as an error message shows.
pub(crate) fn shown(content_type: &str) -> String {
    content_type.chars().take(80).collect()
}

#[inline]
fn check_size(bytes: usize, limit: usize) -> Result<()> {
    if bytes <= limit { Ok(()) } else { Err(too_large(bytes, limit)) }
}

#[cold]
fn too_large(bytes: usize, limit: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("a payload of {bytes} bytes is over the codec's bound of {limit}"))
}

/// The value of this type could not be encoded.
#[allow(dead_code, reason = "not every codec can fail to write")]
pub(crate) fn unwritable<T>(source: impl StdError + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Codec, format!("a `{}` could not be encoded", type_name::<T>())).with_source(source)
}

/// The payload is not an encoding of this type.
#[allow(dead_code, reason = "raw bytes are always readable")]
pub(crate) fn unreadable<T>(source: impl StdError + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Codec, format!("the payload is not a `{}`", type_name::<T>())).with_source(source)
}

/// The payload goes on after the value.
#[allow(dead_code, reason = "only for formats whose reader does not check it itself")]
pub(crate) fn check_end<T>(rest: usize) -> Result<()> {
    if rest == 0 {
        return Ok(());
    }
    let message = format!("the payload is not a `{}`: {rest} bytes follow the value", type_name::<T>());
    Err(Error::new(ErrorKind::Codec, message))
}
