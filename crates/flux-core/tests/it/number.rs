//! A codec written by hand: whole numbers as decimal text, and none above a thousand. It panics at nothing.

use flux_core::{Bytes, Codec, Error, ErrorKind, Result, Typed};

use crate::wire::Wire;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal;

/// The largest number that is encoded.
pub(crate) const LARGEST: u32 = 1_000;

/// The longest payload that is decoded, in bytes.
pub(crate) const LONGEST: usize = 16;

impl Codec<u32> for Decimal {
    fn content_type(&self) -> &'static str {
        "text/x-decimal"
    }

    fn encode(&self, value: &u32, buffer: &mut Vec<u8>) -> Result<()> {
        if *value > LARGEST {
            return Err(Error::new(ErrorKind::Codec, "over a thousand"));
        }
        buffer.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn decode(&self, payload: &Bytes) -> Result<u32> {
        if payload.len() > LONGEST {
            return Err(Error::new(ErrorKind::TooLarge, "no number is that long"));
        }
        assert!(!payload.is_empty(), "a number has digits");
        let text = std::str::from_utf8(payload).map_err(|error| Error::new(ErrorKind::Codec, "").with_source(error))?;
        text.parse().map_err(|error| Error::new(ErrorKind::Codec, "not a decimal number").with_source(error))
    }
}

/// Numbers over a wire of their own.
pub(crate) fn numbers() -> (Wire, Typed<Wire, Decimal>) {
    let wire = Wire::default();
    (wire.clone(), Typed::new(wire, Decimal))
}
