//! A server for those who have none.

mod awaiting;
#[cfg(feature = "http2")]
mod http2;
mod sending;
mod ticks;
mod waking;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use flux_core::{Error, ErrorKind, Result};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::unconstrained;
use tokio::time::{sleep, timeout};

use crate::serve::awaiting::{Heads, Patience, Telling, Told};
use crate::serve::sending::Sending;
use crate::serve::waking::Waking;
use crate::{HttpServer, HttpServerConfig, HttpService};

/// How long to wait when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(100);

/// What a longer wait comes to: a deadline further off may be none that the system's clock can tell.
const ONE_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Serves connections of `listener` until `shutdown` is done; then [drains](HttpServer::drain), and lets requests end.
///
/// HTTP/1.1, and with the feature `http2` HTTP/2 without TLS. For TLS, mount the [service](HttpServer::service) in a server that has it.
///
/// # Cancel safety
/// Dropped, it stops to accept, and connections that are there end when the requests on them are answered. The server is not drained:
/// who listens goes on, for what comes by other ways.
///
/// # Errors
/// [`ErrorKind::TimedOut`] when requests were still running after [`drain_timeout`](HttpServerConfig::drain_timeout); their
/// connections go on until the runtime ends.
pub async fn serve(listener: TcpListener, server: &HttpServer, shutdown: impl Future<Output = ()>) -> Result<()> {
    let mut config = HttpServerConfig::clone(&server.0.config);
    config.header_timeout = config.header_timeout.clamp(Duration::from_millis(1), ONE_YEAR);
    let places = Arc::new(Semaphore::new(config.max_connections));
    let (stop, stopping) = watch::channel(());
    let ticks = ticks::start(awaiting::interval(config.header_timeout));
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
                let (service, config) = (server.service(), config.clone());
                let (stopping, ticks) = (stopping.clone(), ticks.clone());
                let conversation = Conversation { service, config, stopping, ticks };
                tokio::spawn(async move {
                    conversation.run(stream).await;
                    drop(place);
                });
            }
            Some((_, Err(error))) if is_of_one_connection(&error) => {}
            Some((_, Err(_))) => sleep(NO_ROOM).await,
        }
    }
    drop((listener, stopping, ticks));
    server.drain();
    stop.send_replace(());
    // Closed when the last connection has let go of it.
    timeout(config.drain_timeout, stop.closed()).await.map_err(|_| {
        let text = format!("requests were still running after {:?}", config.drain_timeout);
        Error::new(ErrorKind::TimedOut, text).with_operation("drain")
    })
}

/// What one connection is served with.
struct Conversation {
    service: HttpService,
    config: HttpServerConfig,
    /// Changes when no new requests are to be taken.
    stopping: watch::Receiver<()>,
    /// Changes whenever those who wait for a request are looked at.
    ticks: watch::Receiver<()>,
}

impl Conversation {
    /// Serves one connection until it ends; how it does matters to nobody but the peer.
    #[cfg(not(feature = "http2"))]
    async fn run(self, stream: TcpStream) {
        self.http1(stream).await;
    }

    /// Serves one connection until it ends; how it does matters to nobody but the peer.
    #[cfg(feature = "http2")]
    async fn run(mut self, stream: TcpStream) {
        let looked = {
            let mut looking = pin!(timeout(self.config.header_timeout, http2::is_spoken(&stream)));
            let mut stopping = pin!(self.stopping.changed());
            poll_fn(|cx| match looking.as_mut().poll(cx) {
                Poll::Pending => stopping.as_mut().poll(cx).map(|_| None),
                Poll::Ready(looked) => Poll::Ready(looked.ok().and_then(io::Result::ok)),
            })
            .await
        };
        match looked {
            Some(true) => self.http2(stream).await,
            Some(false) => self.http1(stream).await,
            None => {}
        }
    }

    async fn http1(self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let heads = Heads::default();
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder
            .timer(Told { heads: heads.clone(), now: Instant::now() })
            .header_read_timeout(self.config.header_timeout)
            .max_buf_size(self.config.max_header_bytes);
        let stream = Sending::new(stream, self.config.write_timeout);
        let mut patience = Patience::new(heads.clone(), self.ticks);
        let service = Telling { service: self.service, heads };
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        until_stopped(connection, self.stopping, |cx, _| patience.poll(cx)).await;
    }

    #[cfg(feature = "http2")]
    async fn http2(self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let stream = Sending::new(stream, self.config.write_timeout);
        http2::converse(stream, self.service, &self.config, self.stopping).await;
    }
}

/// Serves a connection until it ends or `cut_off` is ready, and has it take no new requests once `stopping` changes.
///
/// As hyper-util's `GracefulShutdown` does it, but who waits for the change is looked for under a lock only when there was one. A
/// connection is polled for each request, always by the same task.
async fn until_stopped<C: GracefulConnection>(
    connection: C,
    stopping: watch::Receiver<()>,
    mut cut_off: impl FnMut(&mut Context<'_>, Pin<&mut C>) -> Poll<()>,
) {
    let mut watching = stopping.clone();
    let (mut connection, mut change) = (pin!(connection), pin!(unconstrained(watching.changed())));
    let (mut is_registered, mut is_stopping, mut waking) = (false, false, Waking::default());
    poll_fn(|cx| {
        if !is_stopping && (!is_registered || stopping.has_changed().unwrap_or(true)) {
            is_registered = true;
            if change.as_mut().poll(cx).is_ready() {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
        if cut_off(cx, connection.as_mut()).is_ready() {
            return Poll::Ready(());
        }
        waking.poll(cx, |cx| connection.as_mut().poll(cx).map(drop))
    })
    .await;
}

/// Whether only the connection that was to be accepted is lost.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::{BodyExt as _, Full};
    use hyper::body::Incoming;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The task would otherwise go through the runtime once more, which looks for a thread to help.
    #[tokio::test]
    async fn a_request_with_a_body_is_answered_without_the_task_being_woken() {
        let echo = service_fn(|request: Request<Incoming>| async {
            request.into_body().collect().await.map(|body| Response::new(Full::<Bytes>::new(body.to_bytes())))
        });
        let (here, mut there) = duplex(1024);
        let (_stop, stopping) = watch::channel(());
        let connection = http1::Builder::new().serve_connection(TokioIo::new(here), echo);
        let mut serving = pin!(until_stopped(connection, stopping, |_, _| Poll::Pending));
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(Arc::clone(&woken));
        for requests in 1..=3 {
            there.write_all(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello").await.expect("there is room");
            let woken_before = woken.0.load(Ordering::SeqCst);
            assert!(serving.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let mut answer = [0; 1024];
            let length = there.read(&mut answer).await.expect("it was answered");
            let answer = String::from_utf8_lossy(answer.get(..length).unwrap_or_default());
            assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\nhello"), "{requests}: {answer}");
            assert_eq!(woken.0.load(Ordering::SeqCst), woken_before, "of {requests} requests");
        }
    }
}
