//! Bytes as they are.

use bytes::Bytes;
use flux_core::Result;

use crate::Format;
use crate::format::codec;

/// Bytes as they are, without a copy. Reads payloads of every content type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Raw;

codec!(Raw);

impl Format<Bytes> for Raw {
    const CONTENT_TYPES: &'static [&'static str] = &["application/octet-stream"];

    fn write(&self, value: &Bytes, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.extend_from_slice(value);
        Ok(())
    }

    fn read(&self, payload: &Bytes, _limit: usize) -> Result<Bytes> {
        Ok(payload.clone())
    }

    fn write_bytes(&self, value: Bytes, _scratch: &mut Vec<u8>) -> Result<Bytes> {
        Ok(value)
    }

    fn accepts(&self, _content_type: &str) -> bool {
        true
    }
}

impl Format<Vec<u8>> for Raw {
    const CONTENT_TYPES: &'static [&'static str] = &["application/octet-stream"];

    fn write(&self, value: &Vec<u8>, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.extend_from_slice(value);
        Ok(())
    }

    fn read(&self, payload: &Bytes, _limit: usize) -> Result<Vec<u8>> {
        Ok(payload.to_vec())
    }

    fn write_bytes(&self, value: Vec<u8>, _scratch: &mut Vec<u8>) -> Result<Bytes> {
        Ok(value.into())
    }

    fn accepts(&self, _content_type: &str) -> bool {
        true
    }
}
