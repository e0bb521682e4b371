//! A type without an encoding.

use flux_core::{Bytes, Codec, Error};

struct Order;
struct Text;

impl Codec<String> for Text {
    fn content_type(&self) -> &'static str {
        "text/plain"
    }

    fn encode(&self, value: &String, buffer: &mut Vec<u8>) -> Result<(), Error> {
        buffer.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn decode(&self, _payload: &Bytes) -> Result<String, Error> {
        Ok(String::new())
    }
}

fn encoded<C: Codec<Order>>(_codec: C) {}

fn main() {
    encoded(Text);
}
