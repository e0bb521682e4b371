//! postcard, by the crate of that name.

use bytes::Bytes;
use flux_core::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Format;
use crate::bounded::read;
use crate::budget::Budget;
use crate::format::{check_end, codec, unreadable, unwritable};

/// postcard: small and fast, between Rust programs that agree on their types. Nesting deeper than 128 is an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Postcard;

codec!(Postcard);

impl<T: Serialize + DeserializeOwned> Format<T> for Postcard {
    const CONTENT_TYPES: &'static [&'static str] = &["application/x-postcard"];

    fn write(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()> {
        ::postcard::to_io(value, buffer).map(drop).map_err(unwritable::<T>)
    }

    fn read(&self, payload: &Bytes, limit: usize) -> Result<T> {
        let mut reader = ::postcard::Deserializer::from_bytes(payload);
        let value = read(&mut reader, &Budget::new(payload.len(), limit)).map_err(unreadable::<T>)?;
        let rest = reader.finalize().map_err(unreadable::<T>)?;
        check_end::<T>(rest.len())?;
        Ok(value)
    }
}
