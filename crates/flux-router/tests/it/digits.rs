//! A codec of numbers as text.

use bytes::Bytes;
use flux_core::{Codec, Error, ErrorKind, Result};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Digits;

impl Codec<u64> for Digits {
    fn content_type(&self) -> &'static str {
        "text/plain"
    }

    fn encode(&self, value: &u64, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn decode(&self, payload: &Bytes) -> Result<u64> {
        let text = std::str::from_utf8(payload).ok();
        text.and_then(|text| text.parse().ok()).ok_or_else(|| Error::new(ErrorKind::Codec, "not digits"))
    }
}
