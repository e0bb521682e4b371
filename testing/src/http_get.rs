//! The least that asks an HTTP server on this machine for something.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The body that a server answers `GET` with, if it answers 200.
///
/// # Errors
/// When nobody listens, or the answer is another one.
pub async fn get(port: u16, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    // In HTTP/1.0 the body ends with the connection.
    let request = format!("GET {path} HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    if head.split(' ').nth(1) != Some("200") {
        return Err(io::Error::other(format!("{path}: {head}")));
    }
    Ok(body.to_owned())
}
