//! The service that a server mounts: from a request to who listens, and from their outcomes to a response.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use flux_core::{Headers, Message, Subject};
use http::header as field;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;

use crate::inline::Known;
use crate::problem::Problem;
use crate::registry::{Line, Targets};
use crate::server::Inner;
use crate::wire;

/// Brings what is posted to who listens, and answers with the outcome.
///
/// A [`tower::Service`](tower_service::Service) and a [`hyper::service::Service`] of any body. It never fails and is always ready;
/// what is too much is answered with 429.
///
/// Cloning makes another handle of the same subscriptions.
#[derive(Clone)]
pub struct HttpService {
    server: Arc<Inner>,
}

impl HttpService {
    pub(crate) const fn new(server: Arc<Inner>) -> Self {
        Self { server }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

impl<B> tower_service::Service<Request<B>> for HttpService
where
    B: Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        hyper::service::Service::call(self, request)
    }
}

impl<B> hyper::service::Service<Request<B>> for HttpService
where
    B: Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<B>) -> Answering {
        // A future for each way, so that none carries the state of another.
        match self.route(&request) {
            Err(problem) => Box::pin(ready(Ok(refuse(problem)))),
            Ok((To::Call(known), headers)) => {
                let body = request.into_body();
                Box::pin(async move { Ok(known.answer(headers, body).await.unwrap_or_else(Problem::into_response)) })
            }
            Ok((To::Queue(targets, subject), headers)) => {
                let (head, body) = (Message { subject, headers, payload: () }, request.into_body());
                let config = Arc::clone(&self.server.config);
                Box::pin(
                    async move { Ok(config.queue(targets, head, body).await.unwrap_or_else(Problem::into_response)) },
                )
            }
        }
    }
}

/// The answer to a request that nobody handles.
fn refuse(problem: Problem) -> Response<Full<Bytes>> {
    let not_allowed = problem.status == StatusCode::METHOD_NOT_ALLOWED;
    let mut response = problem.into_response();
    if not_allowed {
        response.headers_mut().insert(field::ALLOW, field::HeaderValue::from_static("POST"));
    }
    response
}

/// Who gets what is posted.
enum To {
    Call(Arc<Known>),
    Queue(Targets, Subject),
}

impl HttpService {
    /// Who gets what is posted, and its headers; or why it is refused.
    fn route<B>(&self, request: &Request<B>) -> Result<(To, Headers), Problem> {
        let to = self.find(request.uri().path())?;
        if request.method() != Method::POST {
            return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "messages and requests are posted"));
        }
        let headers = wire::read_headers(request.headers());
        let too_large = |error| Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, format!("{error}"));
        Ok((to, headers.map_err(too_large)?))
    }

    /// Who listens at a path.
    fn find(&self, path: &str) -> Result<To, Problem> {
        let segment = self.server.segment(path)?;
        match self.server.registry.known().get(segment) {
            Some(known) => Ok(To::Call(known)),
            None => self.look_up(segment),
        }
    }

    fn look_up(&self, segment: &str) -> Result<To, Problem> {
        let Inner { registry, config } = &*self.server;
        let version = registry.version();
        let subject =
            wire::read_path(segment).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        let known = |subject, inline| Arc::new(Known { config: Arc::clone(config), subject, inline });
        match registry.targets(&subject) {
            Targets::Closed => Err(config.draining()),
            Targets::Nobody => Err(Problem::new(StatusCode::NOT_FOUND, format!("nobody listens to `{subject}`"))),
            Targets::Only(Line::Inline(inline)) => {
                let known = known(subject, inline);
                registry.remember(&known, version);
                Ok(To::Call(known))
            }
            Targets::Responder(Line::Inline(inline)) => Ok(To::Call(known(subject, inline))),
            targets => Ok(To::Queue(targets, subject)),
        }
    }
}

impl Inner {
    /// The part of a path that stands for a subject.
    fn segment<'p>(&self, path: &'p str) -> Result<&'p str, Problem> {
        let base = self.config.base.trim_end_matches('/');
        // As a rule there is none. To compare with an empty string reads at no address at all, which costs some processors 80 ns.
        let rest = if base.is_empty() { Some(path) } else { path.strip_prefix(base) };
        let rest = rest.and_then(|rest| rest.strip_prefix('/'));
        let missing = || Problem::new(StatusCode::NOT_FOUND, "the path is not that of a subject");
        rest.filter(|rest| !rest.is_empty()).ok_or_else(missing)
    }
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpService")
    }
}
