//! Messages as the client has them, and back.
//!
//! Names of headers keep their case, and the values of one name their order. The client keeps headers in a hash map, so the
//! order of different names is lost on the way; what arrives is sorted by name.

mod subject;

use async_nats::header::HeaderMap;
use bytes::Bytes;
use flux_core::{HeaderName, HeaderValue, Headers, Message, Result, Subject, header};

pub(crate) use subject::Borrowed;
pub use subject::subject;

/// What a payload is that does not say: JSON, as elsewhere in the world of NATS.
pub(crate) const JSON: &str = "application/json";

const CONTENT_TYPE: &str = "Content-Type";

/// The headers as the client takes them; `None` when there are none.
#[must_use]
pub fn headers(headers: &Headers) -> Option<HeaderMap> {
    (!headers.is_empty()).then(|| add(HeaderMap::new(), headers, |_| true))
}

/// As [`headers`], whose content type `map` has already.
pub(crate) fn headers_beside_content_type(map: HeaderMap, headers: &Headers) -> HeaderMap {
    add(map, headers, |name| name != CONTENT_TYPE)
}

/// Adds the headers that are `wanted` to a map that has none of them.
fn add(mut map: HeaderMap, headers: &Headers, wanted: impl Fn(&str) -> bool) -> HeaderMap {
    for (index, (name, value)) in headers.iter().enumerate().filter(|(_, (name, _))| wanted(name)) {
        // The client's rules for names and values are looser than ours, so none is refused. It looks twice to append.
        if headers.iter().take(index).any(|(before, _)| before == name) {
            map.append(native_name(name), value);
        } else {
            map.insert(native_name(name), value);
        }
    }
    map
}

/// A content type and nothing else.
pub(crate) fn content_type(value: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert(native_name(CONTENT_TYPE), value);
    map
}

/// Says until when the requester waits, in milliseconds since 1970.
pub(crate) fn set_deadline(map: &mut HeaderMap, millis: u64) {
    const NAME: async_nats::HeaderName = async_nats::HeaderName::from_static("X-Deadline");
    map.insert(NAME, millis.to_string());
}

/// The headers of a message that arrived. Control characters in a foreign value become spaces.
///
/// # Errors
/// [`ErrorKind::TooLarge`](flux_core::ErrorKind::TooLarge) for a foreign name that is longer than [`HeaderName::MAX_LEN`].
pub fn read_headers(map: &HeaderMap) -> Result<Headers> {
    if let Some(known) = known_content_type(map) {
        return Ok(Headers::with_content_type(known));
    }
    let mut entries = Vec::with_capacity(map.len());
    for (name, values) in map.iter() {
        let name = read_name(name.as_ref())?;
        for value in values {
            let known = known_type(name.as_str(), value.as_str());
            let value = known.unwrap_or_else(|| HeaderValue::lossy(value.as_str(), HeaderValue::MAX_LEN));
            entries.push((name.clone(), value));
        }
    }
    entries.sort_by(|(one, _), (two, _)| one.as_str().cmp(two.as_str()));
    Ok(entries.into_iter().collect())
}

/// The value of a header that says what most codecs say; it takes no allocation.
fn known_type(name: &str, value: &str) -> Option<HeaderValue> {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    (name == "Content-Type" && value == JSON.as_str()).then_some(JSON)
}

/// What most messages carry: a codec's content type and nothing else.
fn known_content_type(map: &HeaderMap) -> Option<&'static str> {
    let mut names = map.iter();
    let (name, values) = names.next()?;
    let (text, [value]): (&str, &[_]) = (name.as_ref(), values.as_slice()) else { return None };
    if names.next().is_some() || text != "Content-Type" {
        return None;
    }
    CONTENT_TYPES.into_iter().find(|known| *known == value.as_str())
}

/// Reads the subjects of one subscription. Checks a subject when it is another one than that of the message before.
#[derive(Debug, Clone, Default)]
pub struct Subjects(Option<Subject>);

impl Subjects {
    /// Nothing was read yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// The subject as flux has it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`](flux_core::ErrorKind::InvalidSubject) for one that a foreign client published and flux would not.
    #[inline]
    pub fn read(&mut self, native: &async_nats::Subject) -> Result<Subject> {
        match &self.0 {
            Some(last) if last.as_bytes() == native.as_bytes() => Ok(last.clone()),
            _ => self.read_anew(native),
        }
    }

    fn read_anew(&mut self, native: &async_nats::Subject) -> Result<Subject> {
        Ok(self.0.insert(Subject::new(native)?).clone())
    }

    /// The message as flux has it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`](flux_core::ErrorKind::InvalidSubject) and [`ErrorKind::TooLarge`](flux_core::ErrorKind::TooLarge) for what a foreign client published and flux would not.
    #[inline]
    pub fn message(&mut self, native: async_nats::Message) -> Result<Message<Bytes>> {
        let mut message = Message::to(self.read(&native.subject)?, native.payload);
        if let Some(map) = &native.headers
            && !map.is_empty()
        {
            message.headers = read_headers(map)?;
        }
        Ok(message)
    }
}

/// The content types of flux's codecs; on their own they take no allocation.
const CONTENT_TYPES: [&str; 8] = [
    JSON,
    "application/cbor",
    "application/octet-stream",
    "application/protobuf",
    "application/vnd.msgpack",
    "application/x-bincode",
    "application/x-postcard",
    "text/plain; charset=utf-8",
];

/// Names that flux writes itself; they take no allocation.
macro_rules! known_names {
    ($($text:literal $name:ident,)*) => {
        fn native_name(name: &str) -> async_nats::HeaderName {
            match name {
                $($text => const { async_nats::HeaderName::from_static($text) },)*
                _ => async_nats::header::IntoHeaderName::into_header_name(name),
            }
        }

        fn read_name(name: &str) -> Result<HeaderName> {
            match name {
                $($text => Ok(header::$name),)*
                _ => HeaderName::new(name),
            }
        }

        #[cfg(test)]
        const KNOWN: &[(&str, HeaderName)] = &[$(($text, header::$name)),*];
    };
}
known_names! {
    "Content-Type" CONTENT_TYPE,
    "X-Message-ID" MESSAGE_ID,
    "X-Correlation-ID" CORRELATION_ID,
    "X-Causation-ID" CAUSATION_ID,
    "X-Deadline" DEADLINE,
    "traceparent" TRACEPARENT,
    "tracestate" TRACESTATE,
    "baggage" BAGGAGE,
}

#[cfg(test)]
mod tests {
    use flux_core::ErrorKind;

    use super::*;

    fn round_trip(sent: &Headers) -> Headers {
        read_headers(&headers(sent).expect("there are some")).expect("ours are valid")
    }

    #[test]
    fn no_headers_are_none() {
        assert_eq!(headers(&Headers::new()), None);
    }

    #[test]
    fn case_repetition_and_text_are_kept() {
        let mut sent = Headers::new();
        for (name, value) in [("X-Again", "one"), ("X-Empty", ""), ("X-Again", "two"), ("x-lower", "größe\t;")] {
            sent.append(name, value).expect("valid");
        }
        let arrived = round_trip(&sent);
        let all: Vec<_> = arrived.iter().collect();
        assert_eq!(all, [("X-Again", "one"), ("X-Again", "two"), ("X-Empty", ""), ("x-lower", "größe\t;")]);
    }

    #[test]
    fn known_names_are_the_ones_of_the_core() {
        for (text, name) in KNOWN {
            assert_eq!(name.as_str(), *text);
            let mut sent = Headers::new();
            sent.insert(name.clone(), "1").expect("valid");
            assert_eq!(round_trip(&sent).iter().next(), Some((*text, "1")));
        }
    }

    #[test]
    fn content_types_of_codecs_come_back_as_themselves() {
        for known in CONTENT_TYPES {
            assert_eq!(round_trip(&Headers::with_content_type(known)), Headers::with_content_type(known));
        }
        let other = Headers::with_content_type("application/x-mine");
        assert_eq!(round_trip(&other), other);
    }

    #[test]
    fn foreign_values_are_mended_and_foreign_names_refused() {
        let mut map = HeaderMap::new();
        map.insert("X-Odd", "a\u{1}b");
        assert_eq!(read_headers(&map).expect("mended").get("X-Odd"), Some("a b"));
        map.insert("x".repeat(257), "1");
        assert_eq!(read_headers(&map).expect_err("too long").kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn subjects_are_read_anew_only_when_they_change() {
        let mut subjects = Subjects::new();
        for text in ["a.b", "a.b", "a.c"] {
            assert_eq!(subjects.read(&text.into()).expect("valid"), *text);
        }
        assert_eq!(subjects.read(&"a..b".into()).expect_err("not a subject").kind(), ErrorKind::InvalidSubject);
        assert_eq!(subjects.read(&"a.c".into()).expect("valid"), *"a.c");
    }
}
