//! How the client makes connections, keeps them, and gives up.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flux_core::{ErrorKind, Publisher as _, Result};
use flux_http::{HttpClient, HttpClientConfig, HttpServerConfig};
use futures_util::future::join;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::{listener, serving, within};

/// Connects to one address whatever is asked for, as a proxy would, and counts.
#[derive(Clone)]
pub(crate) struct Detour {
    to: SocketAddr,
    pub(crate) offers_http2: bool,
    made: Arc<AtomicUsize>,
}

impl Detour {
    pub(crate) fn new(to: SocketAddr) -> Self {
        Self { to, offers_http2: false, made: Arc::default() }
    }

    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

impl tower_service::Service<Uri> for Detour {
    type Response = Offered;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Offered>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        assert_eq!(uri.to_string(), "https://orders.example/", "what the connector is asked for");
        self.made.fetch_add(1, Ordering::Relaxed);
        let Self { to, offers_http2, .. } = *self;
        Box::pin(
            async move { Ok(Offered { stream: TokioIo::new(TcpStream::connect(to).await?), http2: offers_http2 }) },
        )
    }
}

/// A connection whose peer may have offered HTTP/2, as TLS tells it.
pub(crate) struct Offered {
    stream: TokioIo<TcpStream>,
    http2: bool,
}

impl Connection for Offered {
    fn connected(&self) -> Connected {
        if self.http2 { Connected::new().negotiated_h2() } else { Connected::new() }
    }
}

impl Read for Offered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for Offered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_connector_of_the_callers_makes_the_connections() -> Result<()> {
    let (listener, address) = listener().await;
    let detour = Detour::new(address);
    let bus = HttpClient::with_connector("https://orders.example/events", detour.clone(), HttpClientConfig::new())?;
    let sending = tokio::spawn(async move { bus.publish("orders.created", Bytes::new()).await });
    let (mut stream, _) = within(listener.accept()).await.expect("a connection");
    let mut head = String::new();
    while !head.contains("\r\n\r\n") {
        head.push(char::from(within(stream.read_u8()).await.expect("more")));
    }
    assert!(head.starts_with("POST /events/orders.created HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("\r\nhost: orders.example\r\n"), "{head}");
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("written");
    assert_eq!(within(sending).await.expect("no panic")?.status, 204);
    assert_eq!(detour.made(), 1);
    Ok(())
}

#[tokio::test]
async fn the_pool_keeps_as_many_as_it_may() -> Result<()> {
    for (kept, made) in [(0, 3), (1, 1)] {
        let (_server, address) = serving(HttpServerConfig::new()).await;
        let detour = Detour::new(address);
        let config = HttpClientConfig::new().with_pool(kept, Duration::from_secs(60));
        let bus = HttpClient::with_connector("https://orders.example", detour.clone(), config)?;
        for _ in 0..3 {
            within(bus.publish("nobody", Bytes::new())).await.expect_err("nobody listens");
        }
        assert_eq!(detour.made(), made, "{kept} kept");
    }
    Ok(())
}

#[tokio::test]
async fn the_pool_keeps_them_as_long_as_it_may() -> Result<()> {
    let (listener, address) = listener().await;
    let config = HttpClientConfig::new().with_pool(1, Duration::from_millis(50));
    let bus = HttpClient::new(&format!("http://{address}"), config)?;
    let sending = bus.publish("a", Bytes::new());
    let answering = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = String::new();
        while !head.contains("\r\n\r\n") {
            head.push(char::from(stream.read_u8().await.expect("more")));
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("written");
        stream
    };
    let (sent, mut stream) = within(join(sending, answering)).await;
    assert_eq!(sent?.status, 204);
    // Closed by the client, long before its default of twenty seconds.
    let closed = timeout(Duration::from_secs(10), stream.read(&mut [0])).await.expect("it is kept");
    assert_eq!(closed.expect("closed in order"), 0);
    Ok(())
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_given_up() -> Result<()> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let listener = socket.listen(1).expect("it listens");
    let address = listener.local_addr().expect("bound");
    // Nobody accepts, so that once the queue is full the system does not answer any more.
    let mut queued = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        queued.push(stream.expect("queued"));
        assert!(queued.len() < 100, "the queue has no end");
    }
    let config = HttpClientConfig::new().with_request_timeout(Duration::from_secs(60));
    let bus = HttpClient::new(&format!("http://{address}"), config.with_connect_timeout(Duration::from_millis(50)))?;
    // The default is five seconds.
    let error = timeout(Duration::from_secs(4), bus.publish("a", Bytes::new())).await.expect("given up");
    let error = error.expect_err("no connection");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
    Ok(())
}
