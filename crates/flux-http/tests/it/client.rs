//! The client against servers that are not flux: what it sends, and what it makes of their answers.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use flux_core::{ErrorKind, Message, Publisher as _, Requester, Result, subject};
use flux_http::{HttpClient, HttpClientConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::{client, listener, within};

/// Reads one request and its body, and writes this answer; the request is returned.
async fn answer_one(listener: &TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                stream.write_all(answer.as_bytes()).await.expect("written");
                return text;
            }
        }
        assert_ne!(stream.read_buf(&mut read).await.expect("readable"), 0, "it broke off: {text}");
    }
}

async fn foreign(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let (listener, address) = listener().await;
    (address, tokio::spawn(async move { answer_one(&listener, answer).await }))
}

#[tokio::test]
async fn a_message_is_a_post_to_the_subjects_path() -> Result<()> {
    let (address, seen) = foreign("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok").await;
    let base = format!("http://{address}/events");
    let message = Message::new("orders.grün", Bytes::from_static(b"{}"))?;
    let message = message.with_header("Content-Type", "application/json")?.with_id("o-1")?;
    let accepted = within(HttpClient::new(&base, HttpClientConfig::new())?.send(message)).await?;
    assert_eq!(accepted.status, 201);
    let seen = seen.await.expect("answered").to_ascii_lowercase();
    assert!(seen.starts_with("post /events/orders.gr%c3%bcn http/1.1\r\n"), "{seen}");
    for line in ["content-type: application/json\r\n", "x-message-id: o-1\r\n", "content-length: 2\r\n", "\r\n\r\n{}"] {
        assert!(seen.contains(line), "{line:?} is missing in {seen}");
    }
    assert!(!seen.contains("x-deadline"), "nobody waits for the answer to a message");
    Ok(())
}

#[tokio::test]
async fn retry_after_is_the_errors_delay() -> Result<()> {
    let answer = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n";
    let (address, _) = foreign(answer).await;
    let error = within(client(address)?.publish("a", Bytes::new())).await.expect_err("refused");
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Full, Some(Duration::from_secs(17))));
    assert!(error.is_retryable());
    assert_eq!(error.to_string(), "publish `a`: the peer answered 429 Too Many Requests");
    Ok(())
}

#[tokio::test]
async fn problems_of_others_are_typed_errors() -> Result<()> {
    let body = r#"{"type":"https://x.test/no-credit","title":"No credit","detail":"You have 30","status":403}"#;
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (address, _) = foreign(answer.leak()).await;
    let bus = client(address)?;
    let asked = Requester::<Bytes, Bytes>::request(&bus, "a", Bytes::new());
    let error = within(asked).await.expect_err("refused");
    let remote = error.remote().expect("typed");
    assert_eq!((error.kind(), remote.code(), remote.message()), (ErrorKind::Remote, "403", "You have 30"));
    assert_eq!(remote.details().map(AsRef::as_ref), Some(body.as_bytes()));
    Ok(())
}

#[tokio::test]
async fn a_request_carries_its_deadline_and_an_empty_answer_is_none() -> Result<()> {
    let (address, seen) = foreign("HTTP/1.1 204 No Content\r\n\r\n").await;
    let bus = client(address)?;
    let asked = Requester::<Bytes, Bytes>::request(&bus, "a", Bytes::new());
    assert_eq!(within(asked).await.expect_err("nobody answered").kind(), ErrorKind::NoResponder);
    let seen = seen.await.expect("answered").to_ascii_lowercase();
    assert_eq!(seen.matches("x-deadline: ").count(), 1, "{seen}");
    Ok(())
}

#[tokio::test]
async fn who_does_not_answer_is_timed_out_and_who_is_not_there_unavailable() -> Result<()> {
    let (listener, address) = listener().await;
    let config = HttpClientConfig::new().with_request_timeout(Duration::from_millis(50));
    let bus = HttpClient::new(&format!("http://{address}"), config)?;
    let error = within(bus.publish("a", Bytes::new())).await.expect_err("silence");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::TimedOut, true));
    drop(listener);
    let error = within(client(address)?.publish("a", Bytes::new())).await.expect_err("nobody");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    Ok(())
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused_and_one_that_breaks_off_is_no_success() -> Result<()> {
    let (address, _) = foreign("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789").await;
    let base = format!("http://{address}");
    let bus = HttpClient::new(&base, HttpClientConfig::new().with_max_answer(8))?;
    let asked = Requester::<Bytes, Bytes>::request(&bus, "a", Bytes::new());
    assert_eq!(within(asked).await.expect_err("too large").kind(), ErrorKind::TooLarge);
    let (address, _) = foreign("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123").await;
    let bus = client(address)?;
    let asked = Requester::<Bytes, Bytes>::request(&bus, "a", Bytes::new());
    assert_eq!(within(asked).await.expect_err("broken off").kind(), ErrorKind::Unavailable);
    Ok(())
}

#[tokio::test]
async fn a_header_that_http_cannot_carry_is_refused_before_it_is_sent() -> Result<()> {
    let bus = HttpClient::new("http://127.0.0.1:1", HttpClientConfig::new())?;
    for name in ["Content-Length", "a(b)"] {
        let message = Message::to(subject!("a"), Bytes::new()).with_header(name, "1")?;
        assert_eq!(within(bus.send(message)).await.expect_err(name).kind(), ErrorKind::InvalidInput);
    }
    Ok(())
}

#[tokio::test]
async fn connections_are_used_again() -> Result<()> {
    let (server, address) = crate::serving(flux_http::HttpServerConfig::new().with_max_connections(1)).await;
    let _deliveries = flux_core::Subscriber::<Bytes>::subscribe(&server, "b").await?;
    // The server takes one connection, so a second one would wait for ever.
    let bus = client(address)?;
    for _ in 0..3 {
        let error = within(bus.publish("a", Bytes::new())).await.expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::NoResponder);
    }
    Ok(())
}
