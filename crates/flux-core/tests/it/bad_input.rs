//! Subjects and headers that are refused, and what the error says.

use flux_core::{ErrorKind, HeaderValue, Headers, Message, Publisher, Subject, SubjectFilter, header, subject};

use crate::number::numbers;

#[tokio::test]
async fn a_bad_subject_is_named_and_nothing_is_sent() {
    let (wire, bus) = numbers();
    let long = "a".repeat(Subject::MAX_LEN + 1);
    for bad in ["", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\nb", "a\u{0}", "a.*", "a.>", &long] {
        let error = bus.publish(bad, 1).await.expect_err(bad);
        assert_eq!(error.kind(), ErrorKind::InvalidSubject, "{bad:?}");
        assert!(!error.is_retryable());
        let text = error.to_string();
        assert!(text.len() < 400, "does not repeat what is too long: {} bytes", text.len());
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    assert!(wire.sent().is_empty());
    assert!(Subject::new(&long[1..]).is_ok(), "the limit itself is allowed");
    assert!(SubjectFilter::new(&long).is_err());
    assert!(subject!("a").join("*").is_err());
}

#[test]
fn a_bad_header_is_refused_and_changes_nothing() {
    let message = || Message::to(subject!("n"), ()).with_header("X-Tag", "kept").expect("valid");
    for (name, value) in [("", "v"), ("a b", "v"), ("a:b", "v"), ("ä", "v"), ("a", "v\r\nX-Evil: 1"), ("a", "\u{0}")] {
        let error = message().with_header(name, value).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name:?} {value:?}");
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }
    let mut headers = message().headers;
    assert!(headers.insert("X-Tag", "\n").is_err());
    assert!(headers.append("X-Tag", "\n").is_err());
    assert_eq!(headers, message().headers);
    assert!(message().with_id("a\nb").is_err());
}

#[test]
fn an_oversize_header_is_too_large() {
    let mut headers = Headers::new();
    for (name, value) in [
        ("x".repeat(257), String::new()),
        ("x".to_owned(), "y".repeat(HeaderValue::MAX_LEN + 1)),
        ("x".to_owned(), "y".repeat(Headers::MAX_BYTES)),
    ] {
        let error = headers.insert(name.as_str(), value).expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().len() < 200, "does not repeat what is too long");
    }
    assert!(headers.is_empty());
}

#[test]
fn text_that_is_not_ours_is_made_to_fit() {
    let value = HeaderValue::lossy("line one\r\nline zwö", 18);
    assert_eq!(value.as_str(), "line one  line zw", "no line break, and no half of a character");
    let mut headers = Headers::new();
    headers.insert(header::ERROR, value).expect("valid by construction");
}
