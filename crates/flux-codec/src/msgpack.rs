//! `MessagePack`, by `rmp-serde`.

use std::io::Cursor;

use bytes::Bytes;
use flux_core::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Format;
use crate::bounded::read;
use crate::budget::Budget;
use crate::format::{check_end, codec, unreadable, unwritable};

/// `MessagePack`, structs as maps with their fields' names, as other languages expect. Nesting deeper than 128 is an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MsgPack;

codec!(MsgPack);

impl<T: Serialize + DeserializeOwned> Format<T> for MsgPack {
    const CONTENT_TYPES: &'static [&'static str] =
        &["application/vnd.msgpack", "application/msgpack", "application/x-msgpack"];

    fn write(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()> {
        rmp_serde::encode::write_named(buffer, value).map_err(unwritable::<T>)
    }

    fn read(&self, payload: &Bytes, limit: usize) -> Result<T> {
        let mut reader = rmp_serde::Deserializer::new(Cursor::new(payload.as_ref()));
        let value = read(&mut reader, &Budget::new(payload.len(), limit)).map_err(unreadable::<T>)?;
        let position = usize::try_from(reader.position()).unwrap_or(usize::MAX);
        check_end::<T>(payload.len().saturating_sub(position))?;
        Ok(value)
    }
}
