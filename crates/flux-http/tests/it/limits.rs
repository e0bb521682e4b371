//! What a server does not let slow, large and many clients do.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Delivery, ErrorKind, Message, Outcome, Reply as _, Responder, Result, Settle as _, Subscriber, next};
use flux_http::{HttpServer, HttpServerConfig, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::{is_pending, listener, serving, within};

/// Writes this, and reads until the server closes.
async fn raw(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("listens");
    stream.write_all(text.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    // A server that closes with something unread resets the connection, after the answer.
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn small() -> (HttpServer, SocketAddr) {
    let config = HttpServerConfig::new().with_max_body(10).with_max_header_bytes(0);
    serving(config.with_read_timeout(Duration::from_millis(50)).with_header_timeout(Duration::from_millis(50))).await
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() -> Result<()> {
    let (server, address) = small().await;
    let _deliveries = Subscriber::<Bytes>::subscribe(&server, "a").await?;
    // Not a byte of the body is sent: a server that wanted to read it would answer that it is late.
    let answer = raw(address, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let asking = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n";
    let answer = raw(address, asking).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // One whose length is not told is refused as soon as it is over the limit.
    let chunked = "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n6\r\n123456\r\n";
    let answer = raw(address, chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_taken_in_whatever_pieces() -> Result<()> {
    let (server, address) = small().await;
    let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a").await?);
    let handling = async {
        let Delivery { message, acker, .. } = next(deliveries.as_mut()).await.expect("one").expect("no error");
        acker.settle(Outcome::Ack).await.expect("the sender waits");
        message.payload
    };
    let text = "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                4\r\n1234\r\n6\r\n567890\r\n0\r\n\r\n";
    let (answer, payload) = futures_util::future::join(raw(address, text), within(handling)).await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert_eq!(payload, "1234567890");
    Ok(())
}

#[tokio::test]
async fn slow_bodies_and_slow_headers_are_cut_off() -> Result<()> {
    let (server, address) = small().await;
    let _deliveries = Subscriber::<Bytes>::subscribe(&server, "a").await?;
    let answer = raw(address, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let answer = raw(address, "POST /a HTTP/1.1\r\nHost: x\r\n").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    // One that says nothing, and one that never gets to the end of the first line of HTTP/2.
    for silent in ["", "PRI * HT"] {
        let answer = raw(address, silent).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let answer = raw(address, "P").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    Ok(())
}

#[tokio::test]
async fn an_idle_connection_is_closed() -> Result<()> {
    let (_server, address) = small().await;
    // It could be used again, and is not; what is read ends when the server closes.
    let answer = raw(address, "POST /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("connection: close"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() -> Result<()> {
    let (server, address) = small().await;
    let _deliveries = Subscriber::<Bytes>::subscribe(&server, "a").await?;
    let header = format!("X-Large: {}\r\n", "x".repeat(9000));
    let answer = raw(address, &format!("POST /a HTTP/1.1\r\nHost: x\r\n{header}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    Ok(())
}

#[tokio::test]
async fn connections_over_the_limit_wait_until_one_ends() -> Result<()> {
    let (_server, address) = serving(HttpServerConfig::new().with_max_connections(1)).await;
    let mut first = TcpStream::connect(address).await.expect("listens");
    first.write_all(b"POST /a HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    let mut answer = [0; 12];
    within(first.read_exact(&mut answer)).await.expect("answered");
    let mut second =
        tokio::spawn(async move { raw(address, "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await });
    // The first goes round once more; a second that was served beside it would be through by then.
    first.write_all(b"POST /a HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    within(first.read_exact(&mut answer)).await.expect("answered");
    assert!(is_pending(&mut second).await);
    drop(first);
    let answer = within(second).await.expect("served");
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    Ok(())
}

#[tokio::test]
async fn who_does_not_read_the_answer_makes_room_for_the_next() -> Result<()> {
    let config = HttpServerConfig::new().with_max_connections(1).with_write_timeout(Duration::from_millis(50));
    let (server, address) = serving(config).await;
    let mut requests = Box::pin(Responder::<Bytes, Bytes>::listen(&server, "a").await?);
    let mut idle = TcpStream::connect(address).await.expect("listens");
    idle.write_all(b"POST /a HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    let request = within(next(requests.as_mut())).await.expect("one")?;
    // More than the buffers of two sockets hold.
    request.acker.reply(Ok(Message::to(request.message.subject, Bytes::from(vec![0; 64 << 20])))).await?;
    let answer = raw(address, "POST /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_limit_may_be_longer_than_any_clock() {
    let (_server, address) = serving(HttpServerConfig::new().with_header_timeout(Duration::MAX)).await;
    let answer = raw(address, "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[tokio::test]
async fn a_shutdown_lets_requests_end_and_closes_idle_connections() -> Result<()> {
    let (listener, address) = listener().await;
    let server = HttpServer::default();
    let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a").await?);
    let (stop, stopped) = oneshot::channel::<()>();
    let served = server.clone();
    let serving = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        serve(listener, &served, stopped).await
    });
    let mut silent = TcpStream::connect(address).await.expect("listens");
    let mut idle = TcpStream::connect(address).await.expect("listens");
    idle.write_all(b"POST /b HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    within(idle.read_exact(&mut [0; 12])).await.expect("answered");
    let posting = tokio::spawn(raw_owned(address, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"));
    let delivery = within(next(deliveries.as_mut())).await.expect("one")?;
    stop.send(()).expect("it serves");
    let mut rest = Vec::new();
    within(idle.read_to_end(&mut rest)).await.expect("closed in order");
    within(silent.read_to_end(&mut rest)).await.expect("closed in order");
    assert!(!serving.is_finished(), "a request is still running");
    delivery.settle(Outcome::Ack).await?;
    let answer = within(posting).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    within(serving).await.expect("no panic")
}

#[tokio::test]
async fn a_server_that_is_dropped_lets_requests_end_and_closes_idle_connections() -> Result<()> {
    let (listener, address) = listener().await;
    let server = HttpServer::default();
    let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a").await?);
    let served = server.clone();
    let serving = tokio::spawn(async move { serve(listener, &served, std::future::pending()).await });
    let mut idle = TcpStream::connect(address).await.expect("listens");
    idle.write_all(b"POST /b HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    within(idle.read_exact(&mut [0; 12])).await.expect("answered");
    let posting = tokio::spawn(raw_owned(address, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"));
    let delivery = within(next(deliveries.as_mut())).await.expect("one")?;
    serving.abort();
    within(idle.read_to_end(&mut Vec::new())).await.expect("closed in order");
    delivery.settle(Outcome::Ack).await?;
    let answer = within(posting).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 204 ") && answer.contains("connection: close"), "{answer}");
    assert!(TcpStream::connect(address).await.is_err(), "nobody accepts");
    Ok(())
}

async fn raw_owned(address: SocketAddr, text: &'static str) -> String {
    raw(address, text).await
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() -> Result<()> {
    let (listener, address) = listener().await;
    let server = HttpServer::new(HttpServerConfig::new().with_drain_timeout(Duration::from_millis(50)));
    let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a").await?);
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = async {
        let stopped = async { drop(stopped.await) };
        serve(listener, &server, stopped).await
    };
    let posting = tokio::spawn(raw_owned(address, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"));
    let stopping = async {
        let kept = next(deliveries.as_mut()).await;
        stop.send(()).expect("it serves");
        kept
    };
    let (ended, _kept) = within(futures_util::future::join(serving, stopping)).await;
    assert_eq!(ended.expect_err("one request hangs").kind(), ErrorKind::TimedOut);
    posting.abort();
    Ok(())
}
