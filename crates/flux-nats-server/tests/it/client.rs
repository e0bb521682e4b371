//! A client of few words: it speaks the protocol line by line, so that nothing hides what the server says.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A connection and the server's greeting.
#[derive(Debug)]
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    pub(crate) info: String,
}

impl Client {
    /// Connects and reads the greeting.
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut client = Self { reader: BufReader::new(stream), info: String::new() };
        client.info = client.line()?;
        Ok(client)
    }

    /// Connects as a client that wants to see errors, with these further fields of `CONNECT`.
    pub(crate) fn login(port: u16, fields: &str) -> io::Result<Self> {
        let mut client = Self::connect(port)?;
        client.send(&format!("CONNECT {{\"verbose\":false{fields}}}"))?;
        Ok(client)
    }

    /// Sends one line.
    pub(crate) fn send(&mut self, line: &str) -> io::Result<()> {
        self.reader.get_mut().write_all(format!("{line}\r\n").as_bytes())
    }

    /// The next line, without its end; empty at the end of the connection.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// What the server answers to a ping: `PONG`, or why not.
    pub(crate) fn ping(&mut self) -> String {
        self.try_ping().unwrap()
    }

    /// As `ping`, where the server may hang up on the client instead.
    pub(crate) fn try_ping(&mut self) -> io::Result<String> {
        self.send("PING")?;
        self.line()
    }

    /// How long a read may take from now on.
    pub(crate) fn patience(&mut self, patience: Duration) {
        self.reader.get_mut().set_read_timeout(Some(patience)).unwrap();
    }

    /// Asks JetStream, and returns its answer in JSON.
    pub(crate) fn ask(&mut self, subject: &str, body: &str) -> String {
        self.try_ask(subject, body).unwrap()
    }

    /// As `ask`, where nobody may answer in time; the connection is of no use then.
    pub(crate) fn try_ask(&mut self, subject: &str, body: &str) -> io::Result<String> {
        self.send("SUB _INBOX.it 1")?;
        self.send(&format!("PUB {subject} _INBOX.it {}\r\n{body}", body.len()))?;
        loop {
            let line = self.line()?;
            if let Some(rest) = line.strip_prefix("MSG _INBOX.it 1 ") {
                let length = rest.rsplit(' ').next().unwrap().parse().unwrap();
                let mut answer = vec![0; length];
                self.reader.read_exact(&mut answer)?;
                self.line()?;
                self.send("UNSUB 1")?;
                return Ok(String::from_utf8(answer).unwrap());
            }
            assert!(!line.is_empty() && !line.starts_with("-ERR"), "asked {subject}, got {line:?}");
        }
    }

    /// Makes a stream of all below `orders` with that many replicas.
    pub(crate) fn create_stream(&mut self, replicas: usize) -> String {
        self.try_create_stream(replicas).unwrap()
    }

    /// As `create_stream`, where nobody may answer in time; the connection is of no use then.
    pub(crate) fn try_create_stream(&mut self, replicas: usize) -> io::Result<String> {
        let config = format!(r#"{{"name":"ORDERS","subjects":["orders.>"],"num_replicas":{replicas}}}"#);
        self.try_ask("$JS.API.STREAM.CREATE.ORDERS", &config)
    }

    /// The stream's state.
    pub(crate) fn stream_info(&mut self) -> String {
        self.ask("$JS.API.STREAM.INFO.ORDERS", "")
    }
}
