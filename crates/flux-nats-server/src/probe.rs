//! Asks a server whether it is there: its greeting, and the pages of its monitoring port.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long one question may take. Everything is on this machine.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether someone accepts connections there.
pub(crate) fn accepts(port: u16) -> bool {
    connect(port).is_some()
}

/// The answer of `http://127.0.0.1:<port><path>` with its status line, without white space.
pub(crate) fn page(port: u16, path: &str) -> Option<String> {
    let mut stream = connect(port)?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_whitespace().collect())
}

fn connect(port: u16) -> Option<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE).ok()
}
