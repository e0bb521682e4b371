//! CBOR (RFC 8949), by `ciborium`.

use std::cell::Cell;

use bytes::Bytes;
use flux_core::Result;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::Format;
use crate::bounded::read;
use crate::budget::Budget;
use crate::format::{check_end, codec, unreadable, unwritable};

/// CBOR. Nesting deeper than 128 is an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cbor;

codec!(Cbor);

impl<T: Serialize + DeserializeOwned> Format<T> for Cbor {
    const CONTENT_TYPES: &'static [&'static str] = &["application/cbor"];

    fn write(&self, value: &T, buffer: &mut Vec<u8>) -> Result<()> {
        ciborium::into_writer(value, buffer).map_err(unwritable::<T>)
    }

    fn read(&self, payload: &Bytes, limit: usize) -> Result<T> {
        let mut rest: &[u8] = payload;
        SIZES.set((payload.len(), limit));
        let Within(value) = ciborium::from_reader(&mut rest).map_err(unreadable::<T>)?;
        check_end::<T>(rest.len())?;
        Ok(value)
    }
}

thread_local! {
    /// The length of the payload and its bound: the crate takes no seed, so they travel beside the call.
    static SIZES: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// A value that is read within bounds.
struct Within<T>(T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Within<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let (payload, limit) = SIZES.get();
        read(deserializer, &Budget::new(payload, limit)).map(Self)
    }
}
