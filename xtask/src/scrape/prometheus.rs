//! A Prometheus of the tests' own: the program of the Debian package, unpacked and not installed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Ended;
use crate::failure::Failure;
use crate::workspace;

/// Fetches the package with lists of its own, because those of the machine may be missing or old, and takes no rights.
const FETCH: &str = r#"mkdir -p lists/partial cache/archives/partial
apt() { apt-get -qq -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" "$@"; }
apt update && apt download prometheus && dpkg-deb -x prometheus_*.deb . && rm -r prometheus_*.deb lists cache"#;

/// A Prometheus at work; ends when dropped.
pub(super) struct Prometheus {
    _child: Ended,
    scratch: PathBuf,
    port: u16,
}

impl Prometheus {
    /// Starts one that reads `target` every second, and waits until it answers.
    #[expect(clippy::disallowed_methods, reason = "there is no runtime here, and nothing is proven by the wait")]
    pub(super) fn start(tools: &Path, target: &str) -> Result<Self, Failure> {
        let program = program(tools)?;
        let scratch = std::env::temp_dir().join(format!("flux-prometheus-{}", std::process::id()));
        workspace::renew(&scratch)?;
        let config = scratch.join("prometheus.yml");
        let job = format!("[{{job_name: observed, static_configs: [{{targets: ['{target}']}}]}}]");
        fs::write(&config, format!("{{global: {{scrape_interval: 1s}}, scrape_configs: {job}}}\n"))
            .map_err(|error| format!("cannot write {}: {error}", config.display()))?;
        let port = free_port().map_err(|error| format!("no free port: {error}"))?;
        let mut command = Command::new(&program);
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", scratch.join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let prometheus = Self { _child: Ended(child), scratch, port };
        let deadline = Instant::now() + Duration::from_secs(30);
        while prometheus.query("up").is_err() {
            if Instant::now() > deadline {
                return Err("Prometheus did not start".into());
            }
            sleep(Duration::from_millis(100));
        }
        Ok(prometheus)
    }

    /// What it says to a query.
    pub(super) fn query(&self, query: &str) -> Result<Value, String> {
        let ask = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            let path = format!("/api/v1/query?query={}", encoded(query));
            write!(stream, "GET {path} HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        };
        let answer = ask().map_err(|error| error.to_string())?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("it said nothing")?;
        serde_json::from_str(body).map_err(|_| format!("it said {head}"))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Its last writes may still come.
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

/// One on the path, or that of the package.
fn program(tools: &Path) -> Result<PathBuf, Failure> {
    let folder = tools.join("prometheus");
    let unpacked = folder.join("usr/bin/prometheus");
    for program in [PathBuf::from("prometheus"), unpacked.clone()] {
        if Command::new(&program).arg("--version").output().is_ok_and(|output| output.status.success()) {
            return Ok(program);
        }
    }
    workspace::renew(&folder)?;
    println!("$ {FETCH}");
    let fetched = Command::new("sh").args(["-c", FETCH]).current_dir(&folder).status();
    if fetched.is_ok_and(|status| status.success()) {
        return Ok(unpacked);
    }
    Err("no Prometheus: put one on the PATH, or run this where apt can fetch Debian's package `prometheus`".into())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Everything but letters and digits as `%XX`.
fn encoded(text: &str) -> String {
    let byte =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}
