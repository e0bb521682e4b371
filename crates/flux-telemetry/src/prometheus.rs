//! The metrics as Prometheus reads them, for whatever HTTP server the program has.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use flux_core::{Error, ErrorKind, Result};
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use opentelemetry_prometheus::PrometheusExporter;
use prometheus::{Encoder as _, Registry, TEXT_FORMAT, TextEncoder};
use tower_service::Service;

/// A `tower::Service` that answers `GET` with all metrics in Prometheus' text format, version 0.0.4.
///
/// Mount it where Prometheus looks, `/metrics`; with axum that is `.route_service("/metrics", prometheus)`. Give it to
/// [`Setup::with_prometheus`](crate::Setup::with_prometheus), once; clones answer with the same metrics. It opens no port.
#[derive(Debug, Clone, Default)]
pub struct Prometheus(Registry);

impl Prometheus {
    /// One that has nothing to tell until it is set up.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn reader(&self) -> Result<PrometheusExporter> {
        let exporter = opentelemetry_prometheus::exporter().with_registry(self.0.clone()).build();
        exporter
            .map_err(|error| Error::new(ErrorKind::InvalidInput, "this service is set up already").with_source(error))
    }

    /// The text that a request is answered with.
    ///
    /// # Errors
    /// [`ErrorKind::Other`] when two metrics contradict each other.
    pub fn text(&self) -> Result<String> {
        let mut text = Vec::new();
        let encoded = TextEncoder::new().encode(&self.0.gather(), &mut text);
        let broken = |error| Error::new(ErrorKind::Other, format!("the metrics cannot be written: {error}"));
        encoded.map_err(broken)?;
        String::from_utf8(text)
            .map_err(|error| Error::new(ErrorKind::Other, "the metrics are no text").with_source(error))
    }

    fn answer(&self, method: &Method) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, String::new());
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match self.text() {
            Ok(text) => {
                let mut answer = plain(StatusCode::OK, if method == Method::HEAD { String::new() } else { text });
                answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT));
                answer
            }
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

fn plain(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer
}

impl<B> Service<Request<B>> for Prometheus {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<std::result::Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.method())))
    }
}
