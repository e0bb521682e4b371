//! The client that carries OTLP over HTTP, on the background thread.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// The longest answer that is read, in bytes; a collector answers with a few.
const MAX_ANSWER: usize = 1 << 20;

/// Sends from the background thread, whatever thread asks.
pub(crate) struct BackgroundClient {
    handle: Handle,
    /// For a whole exchange.
    limit: Duration,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl BackgroundClient {
    pub(crate) fn new(handle: Handle, limit: Duration) -> Self {
        Self { handle, limit, client: Client::builder(TokioExecutor::new()).build_http() }
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for BackgroundClient {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Answer<'b>
    where
        'a: 'b,
    {
        let answer = self.client.request(request.map(Full::new));
        let exchange = async move {
            let (parts, body) = answer.await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        };
        let limit = self.limit;
        let exchange = self.handle.spawn(async move { timeout(limit, exchange).await? });
        Box::pin(async move { exchange.await? })
    }
}

impl fmt::Debug for BackgroundClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundClient").finish_non_exhaustive()
    }
}
