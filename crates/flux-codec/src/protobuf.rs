//! Protocol Buffers, by `prost`.

use bytes::Bytes;
use flux_core::Result;
use prost::Message;

use crate::Format;
use crate::format::{codec, unreadable, unwritable};

/// Protocol Buffers. Nesting deeper than 100 is an error; unknown fields are skipped, as the format asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Protobuf;

codec!(Protobuf);

impl<T: Message + Default> Format<T> for Protobuf {
    const CONTENT_TYPES: &'static [&'static str] = &["application/protobuf", "application/x-protobuf"];

    fn write(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()> {
        value.encode(buffer).map_err(unwritable::<T>)
    }

    fn read(&self, payload: &Bytes, _limit: usize) -> Result<T> {
        T::decode(payload.as_ref()).map_err(unreadable::<T>)
    }
}
