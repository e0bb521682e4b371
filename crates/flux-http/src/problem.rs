//! Refusals, as problem details on the wire (RFC 9457).

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use flux_core::{HeaderValue, RemoteError};
use http::header::{self as field, HeaderMap};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value};

use crate::error::retry_after;

/// The media type of problem details in JSON.
const MEDIA_TYPE: &str = "application/problem+json";

/// The longest reason that is told, in bytes.
const MAX_DETAIL: usize = 4096;

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// What a handler answered with; `None` when no handler did.
    pub(crate) code: Option<Cow<'static, str>>,
    pub(crate) detail: Cow<'static, str>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) details: Option<Bytes>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code: None, detail: detail.into(), retry_after: None, details: None }
    }

    pub(crate) fn with_retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// What a handler answered a request with. A code that is a status of an error is the status; one of the handler's own is
    /// 422, because the request was understood and refused.
    pub(crate) fn of(remote: &RemoteError) -> Self {
        let number = remote.code().parse().ok().filter(|number| (400..600).contains(number));
        let status = number.and_then(|number| StatusCode::from_u16(number).ok());
        Self {
            status: status.unwrap_or(StatusCode::UNPROCESSABLE_ENTITY),
            code: Some(remote.code().to_owned().into()),
            detail: remote.message().to_owned().into(),
            retry_after: None,
            details: remote.details().cloned(),
        }
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.to_json())));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(field::CONTENT_TYPE, field::HeaderValue::from_static(MEDIA_TYPE));
        if let Some(delay) = self.retry_after {
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            headers.insert(field::RETRY_AFTER, seconds.into());
        }
        if let Some(code) = &self.code {
            headers.insert("x-status", field::HeaderValue::from_static("error"));
            let code = HeaderValue::lossy(code, HeaderValue::MAX_LEN);
            if let Ok(code) = field::HeaderValue::from_bytes(code.as_str().as_bytes()) {
                headers.insert("x-error-code", code);
            }
        }
        response
    }

    fn to_json(&self) -> String {
        let mut members = Map::new();
        members.insert("title".to_owned(), self.status.canonical_reason().unwrap_or("Error").into());
        members.insert("status".to_owned(), self.status.as_u16().into());
        if !self.detail.is_empty() {
            members.insert("detail".to_owned(), HeaderValue::lossy(&self.detail, MAX_DETAIL).as_str().into());
        }
        if let Some(code) = &self.code {
            members.insert("code".to_owned(), code.as_ref().into());
        }
        if let Some(details) = &self.details {
            match serde_json::from_slice(details) {
                Ok(value) => members.insert("details".to_owned(), value),
                Err(_) => members.insert("details_text".to_owned(), String::from_utf8_lossy(details).into()),
            };
        }
        Value::Object(members).to_string()
    }

    /// What an answer with this status says, problem details or not.
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Self {
        let mut problem = Self::new(status, "");
        problem.retry_after = retry_after(headers);
        let content_type = headers.get(field::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let members = if flux_core::same_media_type(content_type, MEDIA_TYPE) {
            serde_json::from_slice::<Map<String, Value>>(body).ok()
        } else {
            None
        };
        let Some(members) = members else {
            let text = String::from_utf8_lossy(body);
            problem.detail = HeaderValue::lossy(text.trim(), 200).as_str().to_owned().into();
            problem.details = Some(body.clone()).filter(|body| !body.is_empty());
            return problem;
        };
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        problem.detail = text("detail").or_else(|| text("title")).unwrap_or_default().into();
        problem.code = text("code").map(Cow::Owned);
        problem.details = match (members.get("details"), text("details_text")) {
            (Some(value), _) => Some(value.to_string().into()),
            (None, Some(text)) => Some(text.into()),
            (None, None) if problem.code.is_none() => Some(body.clone()),
            (None, None) => None,
        };
        problem
    }

    /// The same for whoever asked.
    pub(crate) fn to_remote(&self) -> RemoteError {
        let code = self.code.clone().unwrap_or_else(|| self.status.as_u16().to_string().into());
        let remote = RemoteError::new(code, self.detail.clone());
        match &self.details {
            Some(details) => remote.with_details(details.clone()),
            None => remote,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(problem: &Problem) -> Problem {
        let response = problem.clone().into_response();
        Problem::read(problem.status, response.headers(), &problem.to_json().into())
    }

    #[test]
    fn what_a_handler_answered_comes_back() {
        for (code, status) in [("404", 404), ("unknown_carrier", 422), ("500", 500), ("200", 422), ("1000", 422)] {
            for details in [None, Some(r#"{"a":1}"#), Some("not json"), Some(r#""text""#)] {
                let mut remote = RemoteError::new(code, "no \"such\" thing");
                if let Some(details) = details {
                    remote = remote.with_details(details);
                }
                let problem = Problem::of(&remote);
                assert_eq!(problem.status.as_u16(), status, "{code}");
                assert_eq!(round_trip(&problem).to_remote(), remote);
            }
        }
    }

    #[test]
    fn refusals_say_how_long_to_wait_in_whole_seconds() {
        let busy = Problem::new(StatusCode::TOO_MANY_REQUESTS, "full").with_retry_after(Duration::from_millis(1500));
        assert_eq!(round_trip(&busy).retry_after, Some(Duration::from_secs(2)));
    }

    #[test]
    fn problems_of_others_are_read() {
        let mut headers = HeaderMap::new();
        headers.insert(field::CONTENT_TYPE, field::HeaderValue::from_static("application/problem+json; charset=utf-8"));
        let body = Bytes::from_static(br#"{"type":"https://x.test/credit","title":"No credit","balance":30}"#);
        let remote = Problem::read(StatusCode::FORBIDDEN, &headers, &body).to_remote();
        assert_eq!((remote.code(), remote.message(), remote.details()), ("403", "No credit", Some(&body)));
        for body in ["", "[1]", "{", "<html>no</html>"] {
            let remote =
                Problem::read(StatusCode::BAD_GATEWAY, &headers, &Bytes::from_static(body.as_bytes())).to_remote();
            assert_eq!((remote.code(), remote.message()), ("502", body));
        }
    }
}
