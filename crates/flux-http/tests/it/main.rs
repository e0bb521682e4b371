//! What flux-http promises beyond the suite: statuses, limits, errors, both ends alone, and the commands of its page.

mod axum;
mod client;
mod connections;
#[cfg(feature = "http2")]
mod http2;
mod inline;
mod limits;
mod readme;
mod router;
mod server;
#[cfg(feature = "http2")]
mod tls;

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use flux_core::Result;
use flux_http::{HttpClient, HttpClientConfig, HttpServer, HttpServerConfig, serve};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::service::Service as _;
use serde_json::Value;
use tokio::net::TcpListener;

/// How long anything may take before the test fails.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(20);

/// What `future` gives, which must not take for ever.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it hangs")
}

/// Whether it has nothing to give yet.
async fn is_pending(mut future: impl Future + Unpin) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut future).poll(cx).is_pending())).await
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// A server with these options on a port of its own.
async fn serving(config: HttpServerConfig) -> (HttpServer, SocketAddr) {
    let (listener, address) = listener().await;
    let server = HttpServer::new(config);
    let served = server.clone();
    tokio::spawn(async move { serve(listener, &served, pending()).await });
    (server, address)
}

fn client(address: SocketAddr) -> Result<HttpClient> {
    HttpClient::new(&format!("http://{address}"), HttpClientConfig::new())
}

/// An answer, read whole.
struct Answered {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Answered {
    async fn read(response: Response<Full<Bytes>>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("in memory").to_bytes();
        Self { status: parts.status, headers: parts.headers, body }
    }

    #[expect(clippy::indexing_slicing, reason = "what is missing is a failed test")]
    fn problem(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_slice(&self.body).expect("problems are JSON");
        assert_eq!(problem["status"], self.status.as_u16());
        problem
    }
}

/// Posts to a service without a socket.
async fn post(server: &HttpServer, path: &str, headers: &[(&str, &str)], body: &'static str) -> Answered {
    let mut request = Request::builder().method(Method::POST).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).expect("valid");
    Answered::read(server.service().call(request).await.expect("never fails")).await
}
