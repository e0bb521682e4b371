//! JSON (RFC 8259), by `serde_json`.

use bytes::Bytes;
use flux_core::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Format;
use crate::format::{codec, unreadable, unwritable};

/// JSON. Nesting deeper than 127 is an error.
///
/// A type that holds itself through nothing but `Option` has no encoding in JSON, and must not be read from it: such a value has no end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Json;

codec!(Json);

impl<T: Serialize + DeserializeOwned> Format<T> for Json {
    const CONTENT_TYPES: &'static [&'static str] = &["application/json"];

    fn write(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(buffer, value).map_err(unwritable::<T>)
    }

    fn read(&self, payload: &Bytes, _limit: usize) -> Result<T> {
        // Checked once as a whole, which costs less than string by string, as `from_slice` would.
        let text = std::str::from_utf8(payload).map_err(unreadable::<T>)?;
        serde_json::from_str(text).map_err(unreadable::<T>)
    }
}
