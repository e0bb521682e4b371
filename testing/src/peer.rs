//! The official Python client as the other end of a test.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::tools;

/// The release that `cargo xtask tools` puts into the target folder.
const CLIENT: &str = "nats-py-2.16.0";

/// A run of `python/peer.py`: it says in JSON, line by line, what it got.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// Starts it against a server and waits until it is ready for what the test does next.
    ///
    /// # Panics
    /// Without Python, the client or a server: a test that cannot run has failed.
    pub async fn start(url: &str, command: &str, args: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/peer.py");
        let mut python = Command::new("python3");
        python.arg(script).args([command, url]).args(args).env("PYTHONPATH", tools::find(CLIENT));
        python.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = python.spawn().expect("python3 is installed");
        let stdout = child.stdout.take().expect("it is piped");
        let mut peer = Self { child, lines: BufReader::new(stdout).lines() };
        assert_eq!(peer.told().await, "ready");
        peer
    }

    /// The next thing it says.
    ///
    /// # Panics
    /// When it has ended instead; its own complaint is on standard error.
    pub async fn told(&mut self) -> Value {
        let line = self.lines.next_line().await.expect("its output can be read");
        let line = line.expect("the Python client ended before it said what the test waits for");
        serde_json::from_str(&line).expect("it speaks JSON")
    }

    /// Waits until it has ended well.
    ///
    /// # Panics
    /// When it failed.
    pub async fn done(mut self) {
        let status = self.child.wait().await.expect("it was not waited for");
        assert!(status.success(), "the Python client failed: {status}");
    }
}
