//! bincode 2, by the crate of that name.

use ::bincode::config::{self, Config};
use ::bincode::serde::BorrowedSerdeDecoder;
use bytes::Bytes;
use flux_core::Result;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::depth::Shallow;
use crate::format::{codec, unreadable, unwritable};
use crate::{DEFAULT_LIMIT, Format};

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
        // The crate takes its bound at compile time: the next of these that is large enough.
        const LARGE: usize = 256 * 1024 * 1024;
        if limit <= DEFAULT_LIMIT {
            read(payload, config::standard().with_limit::<DEFAULT_LIMIT>())
        } else if limit <= LARGE {
            read(payload, config::standard().with_limit::<LARGE>())
        } else {
            read(payload, config::standard())
        }
    }
}

fn read<T: DeserializeOwned>(payload: &[u8], config: impl Config) -> Result<T> {
    let mut reader = BorrowedSerdeDecoder::from_slice(payload, config, ());
    let value = T::deserialize(Shallow::new(reader.as_deserializer())).map_err(unreadable::<T>)?;
    // One byte more can only be read when bytes follow the value.
    match u8::deserialize(reader.as_deserializer()) {
        Ok(_) => crate::format::check_end::<T>(1).map(|()| value),
        Err(_) => Ok(value),
    }
}
