//! Text in UTF-8.

use bytes::Bytes;
use flux_core::Result;

use crate::Format;
use crate::format::{codec, unreadable};

/// Text in UTF-8. Anything else is an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Text;

codec!(Text);

impl Format<String> for Text {
    const CONTENT_TYPES: &'static [&'static str] = &["text/plain; charset=utf-8"];

    fn write(&self, value: &String, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn read(&self, payload: &Bytes, _limit: usize) -> Result<String> {
        std::str::from_utf8(payload).map(str::to_owned).map_err(unreadable::<String>)
    }

    fn write_bytes(&self, value: String, _scratch: &mut Vec<u8>) -> Result<Bytes> {
        Ok(value.into())
    }
}
