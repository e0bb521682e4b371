//! Servers that read a reading and write it again: hyper alone, axum, and flux.

mod load;
pub mod wrk;

use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::SocketAddr;

use bytes::Bytes;
use flux_codec::Json;
use flux_core::{Failure, Message, Responder};
use flux_http::{HttpServer, HttpServerConfig, serve};
use flux_router::{RequestRoute, Router};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::Result;
use crate::contender::http::load::Load;
use crate::contender::nats::Job;
use crate::payload::{Payload as _, Reading};

/// Where requests go.
const PATH: &str = "/bench.readings";

/// Starts a server, and a client of it once it answers.
fn start<S, F>(runtime: &Runtime, server: S) -> Result<Load>
where
    S: FnOnce(TcpListener) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address: SocketAddr = listener.local_addr()?;
        tokio::spawn(server(listener));
        let load = Load::new(address);
        while load.echo(&Reading::nth(0)).await.is_err() {
            tokio::task::yield_now().await;
        }
        Ok(load)
    })
}

/// A server that answers with what it got.
pub trait Echo: Job {
    /// Where it listens.
    fn address(&self) -> SocketAddr;
}

macro_rules! contenders {
    ($($(#[$doc:meta])* $name:ident: $serve:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Load);

        impl Job for $name {
            fn start(runtime: &Runtime, _: u64) -> Result<Self> {
                start(runtime, $serve).map(Self)
            }

            async fn once(&self, n: u64) -> Result {
                self.0.echo(&Reading::nth(n)).await
            }
        }

        impl Echo for $name {
            fn address(&self) -> SocketAddr {
                self.0.address()
            }
        }
    )*};
}
contenders! {
    /// A hyper service that looks at method and path, and does the JSON.
    HyperEcho: hyper_alone;
    /// axum's extractor and response.
    AxumEcho: axum_echo;
    /// A responder that answers one request at a time.
    FluxResponder: flux_served;
    /// The same by the router, which adds deadlines, metrics and panics that are caught.
    FluxRouted: flux_routed;
}

async fn hyper_alone(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(echo));
        tokio::spawn(connection);
    }
}

async fn echo(request: Request<Incoming>) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let refuse = |status| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        Ok(response)
    };
    if request.method() != Method::POST || request.uri().path() != PATH {
        return refuse(StatusCode::NOT_FOUND);
    }
    let Ok(body) = request.into_body().collect().await else { return refuse(StatusCode::BAD_REQUEST) };
    let Ok(reading) = serde_json::from_slice::<Reading>(&body.to_bytes()) else {
        return refuse(StatusCode::BAD_REQUEST);
    };
    let Ok(body) = serde_json::to_vec(&reading) else { return refuse(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut response = Response::new(Full::new(body.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

async fn axum_echo(listener: TcpListener) {
    use axum::serve::ListenerExt as _;
    let echo = |axum::Json(reading): axum::Json<Reading>| async move { axum::Json(reading) };
    let app = axum::Router::new().route(PATH, axum::routing::post(echo));
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let _ = axum::serve(listener, app).await;
}

async fn answer(request: Message<Reading>) -> flux_core::Result<Reading, Failure> {
    Ok(request.payload)
}

async fn flux_served(listener: TcpListener) {
    let server = HttpServer::new(HttpServerConfig::new());
    let bus = server.clone().typed(Json);
    tokio::spawn(async move { Responder::<Reading, Reading>::serve(&bus, "bench.readings", answer).await });
    let _ = serve(listener, &server, pending()).await;
}

async fn flux_routed(listener: TcpListener) {
    let server = HttpServer::new(HttpServerConfig::new());
    let bus = server.clone().typed(Json);
    tokio::spawn(Router::new().add(RequestRoute::new("bench.readings", &bus, answer).concurrency(2)).run());
    let _ = serve(listener, &server, pending()).await;
}
