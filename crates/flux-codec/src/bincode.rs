//! bincode 2, by the crate of that name.

use ::bincode::config;
use bytes::Bytes;
use flux_core::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Format;
use crate::bounded::seed;
use crate::budget::Budget;
use crate::format::{check_end, codec, unreadable, unwritable};

/// bincode 2 in its standard configuration: little-endian, variable-length integers. Nesting deeper than 128 is an error.
///
/// For streams that use it already. The crate is no longer maintained; for new streams take `Postcard` or `Cbor`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bincode;

codec!(Bincode);

impl<T: Serialize + DeserializeOwned> Format<T> for Bincode {
    const CONTENT_TYPES: &'static [&'static str] = &["application/x-bincode"];

    fn write(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()> {
        let written = ::bincode::serde::encode_into_std_write(value, buffer, config::standard());
        written.map(drop).map_err(unwritable::<T>)
    }

    fn read(&self, payload: &Bytes, limit: usize) -> Result<T> {
        let budget = Budget::new(payload.len(), limit).borrowing();
        let (value, read) = ::bincode::serde::seed_decode_from_slice(seed::<T>(&budget), payload, config::standard())
            .map_err(unreadable::<T>)?;
        check_end::<T>(payload.len().saturating_sub(read))?;
        Ok(value)
    }
}
