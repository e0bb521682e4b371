//! The client of all servers: connections that stay open, and as little work as HTTP/1.1 takes.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Result;
use crate::contender::http::PATH;
use crate::payload::Reading;

/// Connections that no request uses.
#[derive(Debug)]
pub(super) struct Load {
    address: SocketAddr,
    idle: Mutex<Vec<Connection>>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Load {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default() }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a reading, and checks that the same bytes come back.
    pub(super) async fn echo(&self, reading: &Reading) -> Result {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        connection.echo(&serde_json::to_vec(reading)?).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(())
    }
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    async fn echo(&mut self, body: &[u8]) -> Result {
        let Self { stream, buffer } = self;
        buffer.clear();
        write!(
            buffer,
            "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?;
        buffer.extend_from_slice(body);
        stream.write_all(buffer).await?;
        buffer.clear();
        loop {
            if stream.read_buf(buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            // The head ends where the body begins, and the body is as long as what was sent.
            let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            if !buffer.starts_with(b"HTTP/1.1 200 ") {
                return Err("the server refused".into());
            }
            let (_, answer) = buffer.split_at(end + 4);
            if answer.len() >= body.len() {
                return if answer == body { Ok(()) } else { Err("another reading came back".into()) };
            }
        }
    }
}
