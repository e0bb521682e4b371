//! Text in UTF-8.

use bytes::Bytes;
use flux_core::{Result, same_media_type};

use crate::Format;
use crate::format::{codec, unreadable};

/// Text in UTF-8. Anything else is an error, and so is a content type whose `charset` is another.
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

    fn accepts(&self, content_type: &str) -> bool {
        same_media_type(content_type, "text/plain") && charset(content_type).is_none_or(is_utf8)
    }
}

/// The value of the parameter `charset`, as it is written.
fn charset(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset")).map(|(_, value)| value.trim())
}

/// Whether text in this charset is text in UTF-8, too.
fn is_utf8(charset: &str) -> bool {
    // The value may be in quotes (RFC 9110, 5.6.6); `utf8` is what many write.
    ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.trim_matches('"').eq_ignore_ascii_case(known))
}
