//! Headers as fields: names lose their case, and what belongs to HTTP itself stays there.

use flux_core::{Error, ErrorKind, HeaderValue, Headers, Result, header};
use http::header::{self as field, HeaderMap};

/// The headers as fields.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] for a name that HTTP does not allow, and for one that HTTP uses itself, such as
/// `Content-Length`.
pub fn headers(headers: &Headers) -> Result<HeaderMap> {
    let mut map = HeaderMap::with_capacity(headers.len());
    append(&mut map, headers)?;
    Ok(map)
}

/// As [`headers`], beside what is there.
pub(crate) fn append(map: &mut HeaderMap, headers: &Headers) -> Result<()> {
    for (name, value) in headers.iter() {
        let name = match known_field(name) {
            Some(known) => known,
            None => field_name(name)?,
        };
        map.append(name.clone(), field_value(&name, value.as_bytes())?);
    }
    Ok(())
}

fn field_value(name: &field::HeaderName, value: &[u8]) -> Result<field::HeaderValue> {
    if name == field::CONTENT_TYPE
        && let Some(known) = CONTENT_TYPES.into_iter().find(|known| known.as_bytes() == value)
    {
        return Ok(field::HeaderValue::from_static(known));
    }
    field::HeaderValue::from_bytes(value).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, format!("the value of `{name}` cannot be sent over HTTP"))
            .with_source(error)
    })
}

fn field_name(name: &str) -> Result<field::HeaderName> {
    let found = field::HeaderName::from_bytes(name.as_bytes()).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, format!("`{name}` is not a name of HTTP's")).with_source(error)
    })?;
    if is_own(&found) {
        return Err(Error::new(ErrorKind::InvalidInput, format!("`{name}` is set by HTTP itself")));
    }
    Ok(found)
}

/// The fields as headers. Names that flux knows get their case back, the others stay in lower case. Control characters in a
/// value, and what is not UTF-8, are replaced.
///
/// # Errors
/// [`ErrorKind::TooLarge`] for more than [`Headers::MAX_BYTES`].
pub fn read_headers(map: &HeaderMap) -> Result<Headers> {
    if let Some(known) = lone_content_type(map) {
        return Ok(Headers::with_content_type(known));
    }
    let mut entries = Vec::with_capacity(map.len());
    let mut bytes = 0;
    for (name, value) in map {
        if is_own(name) {
            continue;
        }
        bytes += name.as_str().len() + value.len();
        if bytes > Headers::MAX_BYTES {
            let text = format!("headers of over {bytes} bytes; the limit is {}", Headers::MAX_BYTES);
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        let text = String::from_utf8_lossy(value.as_bytes());
        entries.push((read_name(name.as_str())?, HeaderValue::lossy(&text, HeaderValue::MAX_LEN)));
    }
    Ok(entries.into_iter().collect())
}

/// What most messages carry beside HTTP's own: a codec's content type and nothing else.
fn lone_content_type(map: &HeaderMap) -> Option<&'static str> {
    let mut found = None;
    for (name, value) in map {
        if name == field::CONTENT_TYPE && found.is_none() {
            found = Some(value);
        } else if !is_own(name) {
            return None;
        }
    }
    let value = found?.as_bytes();
    CONTENT_TYPES.into_iter().find(|known| known.as_bytes() == value)
}

/// Whether a field is about the connection or the exchange, and not about the message (RFC 9110, 7.6.1; RFC 9112).
fn is_own(name: &field::HeaderName) -> bool {
    const OWN: [field::HeaderName; 14] = [
        field::HOST,
        field::CONTENT_LENGTH,
        field::CONNECTION,
        field::TRANSFER_ENCODING,
        field::DATE,
        field::EXPECT,
        field::PROXY_AUTHENTICATE,
        field::PROXY_AUTHORIZATION,
        field::RETRY_AFTER,
        field::TE,
        field::TRAILER,
        field::UPGRADE,
        field::HeaderName::from_static("keep-alive"),
        field::HeaderName::from_static("proxy-connection"),
    ];
    OWN.contains(name)
}

/// The content types of flux's codecs; on their own they take no allocation.
const CONTENT_TYPES: [&str; 8] = [
    "application/json",
    "application/cbor",
    "application/octet-stream",
    "application/protobuf",
    "application/vnd.msgpack",
    "application/x-bincode",
    "application/x-postcard",
    "text/plain; charset=utf-8",
];

/// Names that flux writes itself: they keep their case, and take no allocation.
macro_rules! known_names {
    ($($text:literal $lower:literal $name:ident,)*) => {
        fn known_field(name: &str) -> Option<field::HeaderName> {
            match name {
                $($text => Some(const { field::HeaderName::from_static($lower) }),)*
                _ => None,
            }
        }

        fn read_name(name: &str) -> Result<flux_core::HeaderName> {
            match name {
                $($lower => Ok(header::$name),)*
                _ => flux_core::HeaderName::new(name),
            }
        }

        #[cfg(test)]
        const KNOWN: &[(&str, &str, flux_core::HeaderName)] = &[$(($text, $lower, header::$name)),*];
    };
}
known_names! {
    "Content-Type" "content-type" CONTENT_TYPE,
    "Nats-Service-Error" "nats-service-error" SERVICE_ERROR,
    "Nats-Service-Error-Code" "nats-service-error-code" SERVICE_ERROR_CODE,
    "X-Causation-ID" "x-causation-id" CAUSATION_ID,
    "X-Correlation-ID" "x-correlation-id" CORRELATION_ID,
    "X-Deadline" "x-deadline" DEADLINE,
    "X-Dropped-Headers" "x-dropped-headers" DROPPED_HEADERS,
    "X-Error" "x-error" ERROR,
    "X-Error-Class" "x-error-class" ERROR_CLASS,
    "X-Error-Code" "x-error-code" ERROR_CODE,
    "X-Failed-At" "x-failed-at" FAILED_AT,
    "X-Handler" "x-handler" HANDLER,
    "X-Message-ID" "x-message-id" MESSAGE_ID,
    "X-Original-Subject" "x-original-subject" ORIGINAL_SUBJECT,
    "X-Retry-Count" "x-retry-count" RETRY_COUNT,
    "X-Sequence" "x-sequence" SEQUENCE,
    "X-Status" "x-status" STATUS,
    "X-Stream" "x-stream" STREAM,
    "baggage" "baggage" BAGGAGE,
    "traceparent" "traceparent" TRACEPARENT,
    "tracestate" "tracestate" TRACESTATE,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(sent: &Headers) -> Headers {
        read_headers(&headers(sent).expect("allowed")).expect("small")
    }

    #[test]
    fn repetition_and_text_are_kept_and_case_is_not() {
        let mut sent = Headers::new();
        for (name, value) in [("X-Again", "one"), ("X-Empty", ""), ("x-again", "two"), ("x-lower", "größe\t;")] {
            sent.append(name, value).expect("valid");
        }
        let arrived = round_trip(&sent);
        let all: Vec<_> = arrived.iter().collect();
        assert_eq!(all, [("x-again", "one"), ("x-again", "two"), ("x-empty", ""), ("x-lower", "größe\t;")]);
    }

    #[test]
    fn known_names_are_the_ones_of_the_core() {
        for (text, lower, name) in KNOWN {
            assert_eq!((name.as_str(), text.to_ascii_lowercase().as_str()), (*text, *lower));
            let mut sent = Headers::new();
            sent.insert(name.clone(), "1").expect("valid");
            assert_eq!(round_trip(&sent).iter().next(), Some((*text, "1")));
        }
    }

    #[test]
    fn content_types_of_codecs_come_back_as_themselves() {
        for known in CONTENT_TYPES.into_iter().chain(["application/x-mine"]) {
            let mut map = headers(&Headers::with_content_type(known)).expect("allowed");
            map.insert(field::HOST, field::HeaderValue::from_static("localhost"));
            assert_eq!(read_headers(&map).expect("small"), Headers::with_content_type(known));
        }
        let mut other = Headers::with_content_type("application/json");
        other.insert("x-a", "1").expect("valid");
        assert_eq!(round_trip(&other), other);
    }

    #[test]
    fn what_http_uses_itself_is_neither_sent_nor_read() {
        for own in ["content-length", "Host", "Transfer-Encoding", "connection", "Keep-Alive"] {
            let mut sent = Headers::new();
            sent.insert(own, "1").expect("valid");
            assert_eq!(headers(&sent).expect_err(own).kind(), ErrorKind::InvalidInput);
            let mut map = HeaderMap::new();
            map.insert(
                field::HeaderName::from_bytes(own.as_bytes()).expect("valid"),
                field::HeaderValue::from_static("1"),
            );
            assert!(read_headers(&map).expect("small").is_empty(), "{own}");
        }
    }

    #[test]
    fn names_that_http_does_not_allow_are_refused() {
        let mut sent = Headers::new();
        sent.insert("a(b)", "1").expect("valid for flux");
        assert_eq!(headers(&sent).expect_err("no token").kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn foreign_values_are_mended_and_the_total_is_bounded() {
        let mut map = HeaderMap::new();
        map.insert("x-odd", field::HeaderValue::from_bytes(b"a\xffb").expect("opaque"));
        assert_eq!(read_headers(&map).expect("mended").get("x-odd"), Some("a\u{fffd}b"));
        for _ in 0..70 {
            map.append("x-more", field::HeaderValue::from_bytes(&[b'x'; 1000]).expect("valid"));
        }
        assert_eq!(read_headers(&map).expect_err("70 kB").kind(), ErrorKind::TooLarge);
    }
}
