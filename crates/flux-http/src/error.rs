//! The two tables of errors: statuses and the client's own, to flux's kinds.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use flux_core::{Error, ErrorKind};
use http::StatusCode;
use http::header::{self as field, HeaderMap};

use crate::problem::Problem;

/// What a status means to the sender of a message.
#[must_use]
pub fn kind(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        404 | 410 => ErrorKind::NoResponder,
        405 | 501 => ErrorKind::Unsupported,
        408 | 504 => ErrorKind::TimedOut,
        413 | 414 | 431 => ErrorKind::TooLarge,
        415 => ErrorKind::Codec,
        429 => ErrorKind::Full,
        502 | 503 => ErrorKind::Unavailable,
        500..=599 => ErrorKind::Remote,
        _ => ErrorKind::Rejected,
    }
}

/// How long the peer asked us to wait: seconds or a date (RFC 9110, 10.2.3). At most a day is believed.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    const MOST: Duration = Duration::from_secs(24 * 60 * 60);
    let text = headers.get(field::RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).unwrap_or_default()
    };
    Some(delay.min(MOST))
}

/// What a refusal means to the sender of a message.
pub(crate) fn of_message(problem: &Problem) -> Error {
    of(kind(problem.status), problem)
}

/// What a refusal means to who asked: what a handler answered is its answer, whatever the status.
pub(crate) fn of_request(problem: &Problem) -> Error {
    match kind(problem.status) {
        ErrorKind::NoResponder | ErrorKind::Unavailable | ErrorKind::Full | ErrorKind::TimedOut
            if problem.code.is_none() =>
        {
            of_message(problem)
        }
        _ => of(ErrorKind::Remote, problem),
    }
}

fn of(kind: ErrorKind, problem: &Problem) -> Error {
    let status = problem.status;
    let error = match problem.detail.as_ref() {
        "" => Error::new(kind, format!("the peer answered {status}")),
        detail => Error::new(kind, format!("the peer answered {status}: {detail}")),
    };
    let error = error.with_source(problem.to_remote());
    match problem.retry_after {
        Some(delay) => error.with_retry_after(delay),
        None if kind == ErrorKind::Remote => error.with_retryable(status.is_server_error()),
        None => error,
    }
}

/// What a failure of the client means: no answer came.
#[must_use]
pub fn from_client(error: hyper_util::client::legacy::Error) -> Error {
    let text = if error.is_connect() { "cannot connect" } else { "the connection ended before the answer" };
    Error::new(ErrorKind::Unavailable, text).with_source(error)
}

/// The answer broke off.
pub(crate) fn broken_off(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Unavailable, "the answer broke off").with_source(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(field::RETRY_AFTER, text.parse().expect("a value"));
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        assert!(after(&date).is_some_and(|delay| (98..=100).contains(&delay.as_secs())), "{date}");
        assert_eq!(after("99999999999"), Some(Duration::from_secs(86_400)));
        for bad in ["", "-1", "soon", "1.5"] {
            assert_eq!(after(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_status_says_whether_to_try_again() {
        for (status, kind, again) in [
            (301, ErrorKind::Rejected, false),
            (400, ErrorKind::Rejected, false),
            (401, ErrorKind::Rejected, false),
            (404, ErrorKind::NoResponder, true),
            (405, ErrorKind::Unsupported, false),
            (408, ErrorKind::TimedOut, true),
            (413, ErrorKind::TooLarge, false),
            (415, ErrorKind::Codec, false),
            (422, ErrorKind::Rejected, false),
            (429, ErrorKind::Full, true),
            (500, ErrorKind::Remote, true),
            (502, ErrorKind::Unavailable, true),
            (503, ErrorKind::Unavailable, true),
            (504, ErrorKind::TimedOut, true),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let error = of_message(&Problem::new(status, "why"));
            assert_eq!((error.kind(), error.is_retryable()), (kind, again), "{status}");
            let told = Problem::new(status, "").with_retry_after(Duration::from_secs(3));
            let error = of_message(&told);
            assert_eq!((error.retry_after(), error.is_retryable()), (Some(Duration::from_secs(3)), true), "{status}");
        }
    }
}
