//! The names of headers flux knows, and the checks on names and values.

use std::fmt;

use crate::text::Text;
use crate::{Error, ErrorKind, Result};

/// A header's name: printable ASCII without `:`, at most [`HeaderName::MAX_LEN`] bytes.
///
/// Keeps its case on the wire; compares without regard to ASCII case, because HTTP lower-cases and NATS does not.
#[derive(Clone)]
pub struct HeaderName(Text);

/// A header's value: any text without control characters other than tab, at most [`HeaderValue::MAX_LEN`] bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HeaderValue(Text);

impl HeaderName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 256;

    /// Checks `name`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] or [`ErrorKind::TooLarge`].
    pub fn new(name: &str) -> Result<Self> {
        if name.len() > Self::MAX_LEN {
            return Err(too_large("name", name.len(), Self::MAX_LEN));
        }
        if !is_name(name.as_bytes()) {
            let message =
                format!("`{}` is not a header name: printable ASCII without `:` is allowed", name.escape_debug());
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(Self(Text::new(name)))
    }

    /// Checks a literal, at compile time when called in a `const`.
    ///
    /// # Panics
    /// When the name is not valid.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        assert!(name.len() <= Self::MAX_LEN && is_name(name.as_bytes()), "not a valid header name");
        Self(Text::from_static(name))
    }

    /// The name, in the case it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.0.as_bytes().eq_ignore_ascii_case(name.as_bytes())
    }
}

const fn is_name(mut name: &[u8]) -> bool {
    if name.is_empty() {
        return false;
    }
    while let [byte, rest @ ..] = name {
        if !byte.is_ascii_graphic() || *byte == b':' {
            return false;
        }
        name = rest;
    }
    true
}

impl HeaderValue {
    /// The longest value, in bytes. JetStream stores no message with more than 65,535 bytes of headers.
    pub const MAX_LEN: usize = 65_535;

    /// Checks `value`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] or [`ErrorKind::TooLarge`].
    pub fn new(value: &str) -> Result<Self> {
        Self::check(value)?;
        Ok(Self(Text::new(value)))
    }

    /// Checks a literal, at compile time when called in a `const`.
    ///
    /// # Panics
    /// When the value is not valid.
    #[must_use]
    pub const fn from_static(value: &'static str) -> Self {
        assert!(value.len() <= Self::MAX_LEN && is_value(value.as_bytes()), "not a valid header value");
        Self(Text::from_static(value))
    }

    pub(crate) const fn as_static(&self) -> Option<&'static str> {
        self.0.as_static()
    }

    /// A content type as a codec names it, which is not checked for each message.
    pub(crate) const fn of_codec(content_type: &'static str) -> Self {
        Self(Text::from_static(content_type))
    }

    /// `value` with every forbidden character replaced by a space, cut to `max_len` bytes: for text that is not ours,
    /// such as an error's.
    #[must_use]
    pub fn lossy(value: &str, max_len: usize) -> Self {
        let mut end = value.len().min(max_len).min(Self::MAX_LEN);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        let cut = value.get(..end).unwrap_or_default();
        if may_hold(cut.as_bytes()) {
            return Self(Text::new(cut));
        }
        Self(Text::from(cut.replace(|c: char| c.is_ascii_control() && c != '\t', " ")))
    }

    /// Text that is known to be a value.
    #[cfg(feature = "telemetry")]
    pub(crate) fn known(text: &str) -> Self {
        Self(Text::new(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    fn check(value: &str) -> Result<()> {
        if value.len() > Self::MAX_LEN {
            return Err(too_large("value", value.len(), Self::MAX_LEN));
        }
        if !may_hold(value.as_bytes()) {
            let shown: String = value.chars().take(80).collect();
            let message = format!("`{}` is not a header value: it holds a control character", shown.escape_debug());
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(())
    }
}

/// As [`is_value`], many bytes at a time.
fn may_hold(value: &[u8]) -> bool {
    let forbidden = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    !value.iter().fold(false, |found, byte| found | forbidden(byte))
}

const fn is_value(mut value: &[u8]) -> bool {
    while let [byte, rest @ ..] = value {
        if byte.is_ascii_control() && *byte != b'\t' {
            return false;
        }
        value = rest;
    }
    true
}

fn too_large(part: &str, len: usize, max: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("a header {part} of {len} bytes is over the limit of {max}"))
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        // Mostly both are constants of this file.
        match (self.0.as_static(), other.0.as_static()) {
            (Some(one), Some(other)) if std::ptr::eq(one, other) => true,
            _ => self.0.as_bytes().eq_ignore_ascii_case(other.0.as_bytes()),
        }
    }
}

impl Eq for HeaderName {}

impl fmt::Debug for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl TryFrom<&str> for HeaderName {
    type Error = Error;

    fn try_from(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

impl TryFrom<&str> for HeaderValue {
    type Error = Error;

    fn try_from(value: &str) -> Result<Self> {
        Self::new(value)
    }
}

impl TryFrom<String> for HeaderValue {
    type Error = Error;

    fn try_from(value: String) -> Result<Self> {
        Self::check(&value)?;
        Ok(Self(Text::from(value)))
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl From<$number> for HeaderValue {
            fn from(number: $number) -> Self {
                Self(Text::from(number.to_string()))
            }
        }
    )*};
}
numbers!(u16 u32 u64 usize);

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$(
        $(#[$doc])*
        pub const $name: HeaderName = HeaderName::from_static($text);
    )*};
}

names! {
    /// W3C baggage.
    BAGGAGE = "baggage";
    /// The id of the message that caused this one.
    CAUSATION_ID = "X-Causation-ID";
    /// The media type of the payload.
    CONTENT_TYPE = "Content-Type";
    /// The id that all messages of one piece of work share.
    CORRELATION_ID = "X-Correlation-ID";
    /// When the requester stops waiting for the answer: milliseconds since 1970 UTC.
    DEADLINE = "X-Deadline";
    /// Names of the headers that a dead letter had no room for, separated by `, `.
    DROPPED_HEADERS = "X-Dropped-Headers";
    /// Why a message became a dead letter, as text.
    ERROR = "X-Error";
    /// How it failed: `retry`, `permanent`, `panic`, `timeout`; `exhausted` when its last delivery ended without a word;
    /// `undecodable` when no handler was called.
    ERROR_CLASS = "X-Error-Class";
    /// The code of an error reply, or of what is missing from a partial one.
    ERROR_CODE = "X-Error-Code";
    /// When a message became a dead letter: RFC 3339, UTC.
    FAILED_AT = "X-Failed-At";
    /// The route whose handler failed.
    HANDLER = "X-Handler";
    /// The business id of a message. Deduplication goes by it.
    MESSAGE_ID = "X-Message-ID";
    /// The subject a dead letter was published under first. It makes a message a dead letter: none is made of one.
    ORIGINAL_SUBJECT = "X-Original-Subject";
    /// How often a message was handed to a handler before it became a dead letter.
    RETRY_COUNT = "X-Retry-Count";
    /// The place of a dead letter's original in its stream.
    SEQUENCE = "X-Sequence";
    /// The text of an error reply (NATS services, ADR-32).
    SERVICE_ERROR = "Nats-Service-Error";
    /// The code of an error reply (NATS services, ADR-32).
    SERVICE_ERROR_CODE = "Nats-Service-Error-Code";
    /// How a request went: `success`, `partial`, `fail` or `error`; see [`Status`](crate::Status).
    STATUS = "X-Status";
    /// The stream a dead letter's original came from.
    STREAM = "X-Stream";
    /// W3C trace context: trace and parent span.
    TRACEPARENT = "traceparent";
    /// W3C trace context: vendors' state.
    TRACESTATE = "tracestate";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_checked() {
        for bad in ["", "a b", "a:b", "é", "a\r\n"] {
            assert_eq!(HeaderName::new(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
        }
        for bad in ["a\r\nEvil: 1", "\0", "\u{7f}"] {
            assert_eq!(HeaderValue::new(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
        }
        assert!(HeaderValue::new("tab\tand é").is_ok());
        assert_eq!(HeaderName::new(&"x".repeat(257)).unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(HeaderValue::new(&"x".repeat(65_536)).unwrap_err().kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn lossy_values_are_always_valid() {
        assert_eq!(HeaderValue::lossy("a\nb", 10).as_str(), "a b");
        assert_eq!(HeaderValue::lossy("éé", 3).as_str(), "é");
        assert!(HeaderValue::new(HeaderValue::lossy("x\0\r", 100).as_str()).is_ok());
    }
}
