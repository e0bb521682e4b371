//! HTTP/2: how it is known, and how a connection that brings no requests is let go.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep};

use crate::serve::until_stopped;
use crate::{HttpServerConfig, HttpService};

/// Whether the first bytes are those of HTTP/2 (RFC 9113, 3.4).
///
/// hyper-util finds that out as well, but waits for them as long as the peer likes.
pub(super) async fn is_spoken(stream: &TcpStream) -> io::Result<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    /// Bytes that were only looked at do not wake anyone, so a preface in pieces is looked at again.
    const AGAIN: Duration = Duration::from_millis(5);
    let mut first = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut first).await?;
        let seen = first.get(..count).unwrap_or_default();
        if seen.is_empty() || !PREFACE.starts_with(seen) {
            return Ok(false);
        }
        if seen == PREFACE {
            return Ok(true);
        }
        sleep(AGAIN).await;
    }
}

/// Serves one connection until it ends.
pub(super) async fn converse(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: HttpService,
    config: &HttpServerConfig,
    stopping: watch::Receiver<()>,
) {
    let requests = Requests::default();
    let mut patience = Patience::new(requests.clone(), config.header_timeout);
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder.max_header_list_size(u32::try_from(config.max_header_bytes).unwrap_or(u32::MAX));
    let connection = builder.serve_connection(TokioIo::new(io), Counted { service, requests });
    until_stopped(connection, stopping, |cx, connection| patience.poll(cx, connection)).await;
}

/// The requests that are handled on a connection.
#[derive(Clone)]
struct Requests(Arc<Mutex<Handled>>);

struct Handled {
    now: usize,
    /// When the last one was done, or the connection began.
    since: Instant,
}

impl Default for Requests {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Handled { now: 0, since: Instant::now() })))
    }
}

impl Requests {
    fn with<T>(&self, act: impl FnOnce(&mut Handled) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Since when there has been none, if there is none.
    fn idle_since(&self) -> Option<Instant> {
        self.with(|handled| (handled.now == 0).then_some(handled.since))
    }
}

/// A service whose requests are counted.
struct Counted {
    service: HttpService,
    requests: Requests,
}

impl Service<Request<Incoming>> for Counted {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = InHand;

    fn call(&self, request: Request<Incoming>) -> InHand {
        self.requests.with(|handled| handled.now += 1);
        let requests = self.requests.clone();
        InHand { answering: self.service.call(request), requests }
    }
}

type Answering = <HttpService as Service<Request<Incoming>>>::Future;

/// A request that is handled until this is done or dropped.
struct InHand {
    answering: Answering,
    requests: Requests,
}

impl Future for InHand {
    type Output = <Answering as Future>::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answering.as_mut().poll(cx)
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.requests.with(|handled| *handled = Handled { now: handled.now - 1, since: Instant::now() });
    }
}

/// How long a connection without requests is kept.
///
/// hyper limits the time of a head in HTTP/1 alone, and a peer that answers pings or sends a head byte by byte is alive to h2. So
/// nothing counts but requests whose head is complete.
struct Patience {
    requests: Requests,
    limit: Duration,
    alarm: Pin<Box<Sleep>>,
    /// When the peer was asked to end the connection.
    asked: Option<Instant>,
}

impl Patience {
    fn new(requests: Requests, limit: Duration) -> Self {
        Self { requests, limit, alarm: Box::pin(sleep(limit)), asked: None }
    }

    /// Has the peer end a connection that was idle for too long, and is ready when it did not do so for as long again.
    fn poll<C: GracefulConnection>(&mut self, cx: &mut Context<'_>, mut connection: Pin<&mut C>) -> Poll<()> {
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let now = Instant::now();
            let idle_since = self.requests.idle_since().unwrap_or(now);
            let mut due = self.asked.map_or(idle_since, |asked| asked.max(idle_since)) + self.limit;
            if due <= now {
                if self.asked.replace(now).is_some() {
                    return Poll::Ready(());
                }
                connection.as_mut().graceful_shutdown();
                due = now + self.limit;
            }
            self.alarm.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use flux_core::{Delivery, Outcome, Settle as _, Subscriber, next};
    use http::{StatusCode, Version};
    use http_body_util::Empty;
    use hyper::client::conn::http2::SendRequest;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    use super::*;
    use crate::HttpServer;

    const LIMIT: Duration = Duration::from_secs(3);

    /// A connection that is served, its peer's end, and what stops it.
    fn served(server: &HttpServer) -> (JoinHandle<()>, DuplexStream, watch::Sender<()>) {
        let (here, there) = duplex(1 << 20);
        let (stop, stopping) = watch::channel(());
        let (service, config) = (server.service(), server.0.config.clone());
        (tokio::spawn(async move { converse(here, service, &config, stopping).await }), there, stop)
    }

    fn server() -> HttpServer {
        HttpServer::new(HttpServerConfig::new().with_header_timeout(LIMIT))
    }

    type Client = (SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>);

    async fn client(there: DuplexStream) -> Client {
        let opening = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(there));
        let (sender, connection) = opening.await.expect("HTTP/2");
        (sender, tokio::spawn(connection))
    }

    fn post(path: &str) -> Request<Empty<Bytes>> {
        let uri = format!("http://x{path}");
        Request::post(uri).version(Version::HTTP_2).body(Empty::new()).expect("valid")
    }

    /// When it ended, in seconds after `start`; the clock stands still while anything can go on.
    async fn seconds<T>(ending: impl Future<Output = T>, start: Instant) -> (u64, T) {
        let ended = timeout(LIMIT * 100, ending).await.expect("it never ends");
        (start.elapsed().as_secs(), ended)
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_closed_in_order() {
        let start = Instant::now();
        let (serving, there, _stop) = served(&server());
        let (mut sender, connection) = client(there).await;
        tokio::time::advance(LIMIT / 3).await;
        let answer = sender.send_request(post("/a")).await.expect("answered");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        // The time begins anew with each request. The peer is told by GOAWAY, so that to it this is no error.
        let (after, ended) = seconds(connection, start).await;
        assert_eq!(after, 4);
        ended.expect("no panic").expect("closed in order");
        serving.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_handled_for_longer_is_not_cut_off() {
        let server = server();
        let mut deliveries = pin!(Subscriber::<Bytes>::subscribe(&server, "a").await.expect("open"));
        let start = Instant::now();
        let (serving, there, _stop) = served(&server);
        let (mut sender, connection) = client(there).await;
        let asking = tokio::spawn(sender.send_request(post("/a")));
        let Delivery { acker, .. } = next(deliveries.as_mut()).await.expect("one").expect("no error");
        sleep(LIMIT * 5 / 2).await;
        acker.settle(Outcome::Ack).await.expect("the sender waits");
        let answer = asking.await.expect("no panic").expect("answered");
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        let (after, ended) = seconds(connection, start).await;
        assert_eq!(after, 10, "seven seconds and a half, and three");
        ended.expect("no panic").expect("closed in order");
        serving.await.expect("no panic");
    }

    /// The first bytes of a peer: its preface and settings that say nothing.
    const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

    #[tokio::test(start_paused = true)]
    async fn a_head_that_never_ends_is_dropped() {
        // A field `x` of 99 bytes, of which each frame brings one.
        const HEADERS: &[u8] = b"\0\0\x04\x01\0\0\0\0\x01\0\x01x\x63";
        const CONTINUATION: &[u8] = b"\0\0\x01\x09\0\0\0\0\x01y";
        let start = Instant::now();
        let (serving, mut there, _stop) = served(&server());
        there.write_all(HELLO).await.expect("written");
        there.write_all(HEADERS).await.expect("written");
        let dripping = tokio::spawn(async move {
            let mut pieces = 0;
            while there.write_all(CONTINUATION).await.is_ok() {
                sleep(LIMIT / 2).await;
                pieces += 1;
            }
            pieces
        });
        let (after, ended) = seconds(serving, start).await;
        ended.expect("no panic");
        assert_eq!(after, 6, "three seconds until it is asked to end, three until it is cut off");
        assert!(dripping.await.expect("no panic") >= 4, "something came in all that time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_only_answers_pings_is_dropped() {
        const ACK: u8 = 1;
        let start = Instant::now();
        let (serving, mut there, _stop) = served(&server());
        there.write_all(HELLO).await.expect("written");
        let answering = async {
            loop {
                let mut head = [0; 9];
                if there.read_exact(&mut head).await.is_err() {
                    return;
                }
                let [_, high, low, kind, flags, ..] = head;
                let mut payload = vec![0; usize::from(u16::from_be_bytes([high, low]))];
                there.read_exact(&mut payload).await.expect("whole");
                // The last ping is that of the GOAWAY: a peer that leaves it unanswered holds up the end.
                if kind == 6 && flags & ACK == 0 && start.elapsed() < LIMIT {
                    there.write_all(&[0, 0, 8, 6, ACK, 0, 0, 0, 0]).await.expect("written");
                    there.write_all(&payload).await.expect("written");
                }
            }
        };
        let (after, ()) = seconds(answering, start).await;
        assert_eq!(after, 6);
        serving.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_over_the_limit_is_refused_and_the_connection_goes_on() {
        let server = HttpServer::new(HttpServerConfig::new().with_max_header_bytes(0));
        let (_serving, there, _stop) = served(&server);
        let (mut sender, _connection) = client(there).await;
        let mut large = post("/a");
        for field in ["x-one", "x-two"] {
            large.headers_mut().insert(field, "x".repeat(5000).parse().expect("valid"));
        }
        let answer = sender.send_request(large).await.expect("answered");
        assert_eq!(answer.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        let answer = sender.send_request(post("/a")).await.expect("answered");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_lets_requests_end() {
        let server = server();
        let mut deliveries = pin!(Subscriber::<Bytes>::subscribe(&server, "a").await.expect("open"));
        let (serving, there, stop) = served(&server);
        let (mut sender, connection) = client(there).await;
        let asking = tokio::spawn(sender.send_request(post("/a")));
        let Delivery { acker, .. } = next(deliveries.as_mut()).await.expect("one").expect("no error");
        stop.send_replace(());
        sleep(LIMIT / 3).await;
        assert!(!serving.is_finished(), "a request is still running");
        assert!(sender.send_request(post("/a")).await.is_err(), "no new ones are taken");
        acker.settle(Outcome::Ack).await.expect("the sender waits");
        let answer = asking.await.expect("no panic").expect("answered");
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        connection.await.expect("no panic").expect("closed in order");
        serving.await.expect("no panic");
    }
}
