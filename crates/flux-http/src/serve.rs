//! A server for those who have none.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use flux_core::{Error, ErrorKind, Result};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::{HttpServer, HttpServerConfig};

/// How long to wait when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(100);

/// Serves connections of `listener` until `shutdown` is done; then [drains](HttpServer::drain), and lets requests end.
///
/// HTTP/1.1, and with the feature `http2` HTTP/2 without TLS. For TLS, mount the [service](HttpServer::service) in a server that has it.
///
/// # Cancel safety
/// Dropped, it stops to accept; connections that are there go on.
///
/// # Errors
/// [`ErrorKind::TimedOut`] when requests were still running after [`drain_timeout`](HttpServerConfig::drain_timeout); their
/// connections go on until the runtime ends.
pub async fn serve(listener: TcpListener, server: &HttpServer, shutdown: impl Future<Output = ()>) -> Result<()> {
    let config = &server.0.config;
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(config.max_connections));
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let mut next = pin!(next);
        let accepted = poll_fn(|cx| {
            if shutdown.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            next.as_mut().poll(cx).map(Some)
        });
        match accepted.await {
            None => break,
            Some((place, Ok((stream, _)))) => {
                let connection = connection(stream, server, config, graceful.watcher());
                tokio::spawn(async move {
                    // The peer broke the connection or the protocol; there is nobody left to tell.
                    let _ = connection.await;
                    drop(place);
                });
            }
            Some((_, Err(error))) if is_of_one_connection(&error) => {}
            Some((_, Err(_))) => sleep(NO_ROOM).await,
        }
    }
    drop(listener);
    server.drain();
    timeout(config.drain_timeout, graceful.shutdown()).await.map_err(|_| {
        let text = format!("requests were still running after {:?}", config.drain_timeout);
        Error::new(ErrorKind::TimedOut, text).with_operation("drain")
    })
}

#[cfg(feature = "http2")]
fn connection(
    stream: TcpStream,
    server: &HttpServer,
    config: &HttpServerConfig,
    watcher: Watcher,
) -> impl Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + Send + 'static {
    use hyper_util::rt::TokioExecutor;
    use hyper_util::server::conn::auto::Builder;

    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(config.max_header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(config.max_header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(config.header_timeout);
    let _ = stream.set_nodelay(true);
    watcher.watch(builder.serve_connection(TokioIo::new(stream), server.service()).into_owned())
}

#[cfg(not(feature = "http2"))]
fn connection(
    stream: TcpStream,
    server: &HttpServer,
    config: &HttpServerConfig,
    watcher: Watcher,
) -> impl Future<Output = hyper::Result<()>> + Send + 'static {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(config.header_timeout).max_buf_size(config.max_header_bytes);
    let _ = stream.set_nodelay(true);
    watcher.watch(builder.serve_connection(TokioIo::new(stream), server.service()))
}

/// Whether only the connection that was to be accepted is lost.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
