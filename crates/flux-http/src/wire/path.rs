//! Subjects as paths: one segment, percent-encoded.

use flux_core::{Error, ErrorKind, Result, Subject};

/// The subject as the last segment of a path, without a slash: what RFC 3986 (2.3) calls unreserved, and `$`, stand for
/// themselves; every other byte is percent-encoded.
///
/// ```
/// use flux_core::subject;
/// use flux_http::wire;
///
/// assert_eq!(wire::path(&subject!("orders.created")), "orders.created");
/// assert_eq!(wire::path(&subject!("größe/x")), "gr%C3%B6%C3%9Fe%2Fx");
/// ```
#[must_use]
pub fn path(subject: &Subject) -> String {
    let mut path = String::with_capacity(subject.as_str().len());
    append(&mut path, subject);
    path
}

/// As [`path`], at the end of what is there.
pub(crate) fn append(path: &mut String, subject: &Subject) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let text = subject.as_str();
    if text.bytes().all(is_plain) {
        path.push_str(text);
        return;
    }
    for byte in text.bytes() {
        if is_plain(byte) {
            path.push(char::from(byte));
        } else {
            let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or('0');
            path.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// The subject that a path's last segment stands for.
///
/// Characters that need no encoding may be encoded, and those that RFC 3986 allows in a segment may stand for themselves.
///
/// # Errors
/// [`ErrorKind::InvalidSubject`] for a `%` without two hexadecimal digits, what is no UTF-8, and what is no subject. A `/` is
/// the end of a segment: in a subject it is encoded.
pub fn read_path(segment: &str) -> Result<Subject> {
    if segment.contains('/') {
        return Err(Error::new(ErrorKind::InvalidSubject, "a subject is one segment of a path: a `/` in it is `%2F`"));
    }
    if !segment.contains('%') {
        return Subject::new(segment);
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let [high, low, after @ ..] = rest else { return Err(broken()) };
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return Err(broken()) };
        bytes.push(high << 4 | low);
        rest = after;
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        Error::new(ErrorKind::InvalidSubject, "the path is not UTF-8").with_source(error.utf8_error())
    })?;
    Subject::try_from(text)
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'$')
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn broken() -> Error {
    Error::new(ErrorKind::InvalidSubject, "a `%` in the path is not followed by two hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use http::uri::PathAndQuery;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_character_that_a_subject_may_hold_comes_back() {
        for character in '\0'..='\u{ffff}' {
            let Ok(subject) = Subject::try_from(format!("a{character}b")) else { continue };
            let path = path(&subject);
            assert!(PathAndQuery::try_from(format!("/{path}")).is_ok_and(|uri| uri.query().is_none()), "{path}");
            assert_eq!(read_path(&path).expect("ours"), subject, "{path}");
        }
    }

    #[test]
    fn what_is_no_subject_is_refused() {
        for bad in
            ["", "a..b", "a/b", "%", "%4", "%zz", "%ff", "a%20b", "a.*", "%2A", "a%00", "a/", "%2e", ".", "..", "a%3E"]
        {
            assert_eq!(read_path(bad).expect_err(bad).kind(), ErrorKind::InvalidSubject, "{bad}");
        }
    }

    #[test]
    fn needless_and_missing_encoding_are_read() {
        for (text, subject) in
            [("%6frders", "orders"), ("a+b", "a+b"), ("a@b:c", "a@b:c"), ("a%2Fb", "a/b"), ("a%2eb", "a.b")]
        {
            assert_eq!(read_path(text).expect(text), *subject);
        }
    }

    proptest! {
        #[test]
        fn every_subject_comes_back(text in "[^\\x00-\\x20\\x7f.*>]{1,8}(\\.[^\\x00-\\x20\\x7f.*>]{1,8}){0,4}") {
            let subject = Subject::try_from(text).expect("the pattern makes subjects");
            let path = path(&subject);
            prop_assert!(path.bytes().all(|byte| is_plain(byte) || byte == b'%'));
            prop_assert_eq!(read_path(&path).expect("ours"), subject);
        }

        #[test]
        fn no_path_makes_it_panic(text in "\\PC{0,64}") {
            if let Ok(subject) = read_path(&text) {
                prop_assert_eq!(read_path(&path(&subject)).expect("ours"), subject);
            }
        }
    }
}
