//! The codec that goes by each message's content type.

use bytes::Bytes;
use flux_core::{Codec, Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::format::shown;

/// Writes with `C`, and reads whatever codec of serde's types wrote a payload, as its content type says.
///
/// For a stream that several programs write to, or that changes its encoding. A payload without content type is read with `C`, and
/// so is one whose content type is none of theirs, if `C` reads that.
///
/// The codecs it knows are those whose features are on; `Auto` without them reads nothing but what `C` wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Auto<C> {
    writer: C,
}

impl<C> Auto<C> {
    /// Writes with `writer`, whose bound also holds for what the others read; 8 MiB where it says none.
    pub const fn new(writer: C) -> Self {
        Self { writer }
    }
}

impl<T: Serialize + DeserializeOwned, C: Codec<T>> Codec<T> for Auto<C> {
    fn content_type(&self) -> &'static str {
        self.writer.content_type()
    }

    fn encode(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()> {
        self.writer.encode(value, buffer)
    }

    fn decode(&self, payload: &Bytes) -> Result<T> {
        self.writer.decode(payload)
    }

    fn to_bytes(&self, value: T, scratch: &mut Vec<u8>) -> Result<Bytes> {
        self.writer.to_bytes(value, scratch)
    }

    fn limit(&self) -> Option<usize> {
        self.writer.limit()
    }

    fn reads(&self, content_type: &str) -> bool {
        macro_rules! any {
            ($($feature:literal => $codec:path;)*) => {
                self.writer.reads(content_type)
                $(|| {
                    #[cfg(feature = $feature)]
                    let read = Codec::<T>::reads(&$codec, content_type);
                    #[cfg(not(feature = $feature))]
                    let read = false;
                    read
                })*
            };
        }
        any! {
            "bincode" => crate::Bincode;
            "cbor" => crate::Cbor;
            "json" => crate::Json;
            "msgpack" => crate::MsgPack;
            "postcard" => crate::Postcard;
        }
    }

    fn decode_as(&self, content_type: Option<&str>, payload: &Bytes) -> Result<T> {
        let Some(found) = content_type else { return self.writer.decode_as(None, payload) };
        if flux_core::same_media_type(found, self.writer.content_type()) {
            return self.writer.decode_as(content_type, payload);
        }
        macro_rules! try_each {
            ($($feature:literal => $codec:path;)*) => {
                $(#[cfg(feature = $feature)]
                if <$codec as crate::Format<T>>::CONTENT_TYPES.iter().any(|known| flux_core::same_media_type(found, known)) {
                    return $codec.with_limit(self.writer.limit().unwrap_or(crate::DEFAULT_LIMIT)).decode(payload);
                })*
                // Last, because a writer may read more than it writes: other names of the same, or anything, as `Raw` does.
                if self.writer.reads(found) {
                    return self.writer.decode_as(content_type, payload);
                }
                let mut known = vec![self.writer.content_type()];
                $(#[cfg(feature = $feature)]
                known.extend_from_slice(<$codec as crate::Format<T>>::CONTENT_TYPES);)*
                known.sort_unstable();
                known.dedup();
                let message = format!("no codec reads `{}`; compiled in are `{}`", shown(found), known.join("`, `"));
                Err(Error::new(ErrorKind::Codec, message))
            };
        }
        try_each! {
            "bincode" => crate::Bincode;
            "cbor" => crate::Cbor;
            "json" => crate::Json;
            "msgpack" => crate::MsgPack;
            "postcard" => crate::Postcard;
        }
    }
}
