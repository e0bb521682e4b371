//! CBOR (RFC 8949), by `ciborium`.

use bytes::Bytes;
use flux_core::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Format;
use crate::format::{MAX_DEPTH, check_end, codec, unreadable, unwritable};

/// CBOR. Nesting deeper than 128 is an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cbor;

codec!(Cbor);

impl<T: Serialize + DeserializeOwned> Format<T> for Cbor {
    const CONTENT_TYPES: &'static [&'static str] = &["application/cbor"];

    fn write(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()> {
        ciborium::into_writer(value, buffer).map_err(unwritable::<T>)
    }

    fn read(&self, payload: &Bytes, _limit: usize) -> Result<T> {
        let mut rest: &[u8] = payload;
        let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH).map_err(unreadable::<T>)?;
        check_end::<T>(rest.len())?;
        Ok(value)
    }
}
