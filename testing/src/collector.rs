//! A collector that somebody else wrote, for what this project's telemetry sends.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::{get, tools};

/// The release that `cargo xtask tools` builds into the target folder.
const PROGRAM: &str = "otelite-0.1.156/bin/otelite";

/// How long it may take to start, and to tell of what it has received.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run of otelite with a memory of its own. Killed and forgotten when dropped.
#[derive(Debug)]
pub struct Collector {
    child: Child,
    scratch: PathBuf,
    grpc: u16,
    http: u16,
    dashboard: u16,
}

/// A span as the collector tells it.
#[derive(Debug, Clone, Deserialize)]
pub struct Span {
    /// Its own id.
    pub span_id: String,
    /// That of the span it is below.
    pub parent_span_id: Option<String>,
    /// Its trace's.
    pub trace_id: String,
    /// `send orders.placed`, for example.
    pub name: String,
    /// Whether it began here, there or in between.
    pub kind: String,
    /// In nanoseconds since 1970.
    pub start_time: i64,
    /// In nanoseconds since 1970.
    pub end_time: i64,
    /// What else is known.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

impl Collector {
    /// Starts one on free ports and waits until it answers.
    ///
    /// # Panics
    /// When it does not: a test that cannot run has failed.
    pub async fn start() -> Self {
        // Another program may take a port before the collector has it.
        for _ in 0..5 {
            if let Some(collector) = Self::try_start().await {
                return collector;
            }
        }
        panic!("the collector did not start");
    }

    async fn try_start() -> Option<Self> {
        let [grpc, http, dashboard] = free_ports();
        let scratch = std::env::temp_dir().join(format!("flux-collector-{}-{dashboard}", std::process::id()));
        fs::create_dir_all(&scratch).expect("the folder for temporary files can be written");
        let log = File::create(scratch.join("log")).expect("the folder was just made");
        let mut command = Command::new(tools::find(PROGRAM));
        command.args(["serve", "--addr", &format!("127.0.0.1:{dashboard}"), "--log-level", "warn"]);
        command.env("OTELITE_DATA_DIR", &scratch).env("HOME", &scratch).env("XDG_CONFIG_HOME", &scratch);
        command.env("OTELITE_OTLP_GRPC_PORT", grpc.to_string()).env("OTELITE_OTLP_HTTP_PORT", http.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        let child = command.spawn().expect("the collector can be run");
        let mut collector = Self { child, scratch, grpc, http, dashboard };
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && collector.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let health = get(dashboard, "/api/health").await.unwrap_or_default();
            if health.contains(&format!("\"otlp_http_port\":{http}")) {
                return Some(collector);
            }
            sleep(Duration::from_millis(20)).await;
        }
        None
    }

    /// Where it takes OTLP over gRPC.
    #[must_use]
    pub fn grpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc)
    }

    /// Where it takes OTLP over HTTP.
    #[must_use]
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// The spans of a trace in the order of their start, once there are so many.
    ///
    /// # Panics
    /// When there are not, with what there is.
    pub async fn trace(&self, id: &str, spans_min: usize) -> Vec<Span> {
        #[derive(Default, Deserialize)]
        struct Trace {
            spans: Vec<Span>,
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = get(self.dashboard, &format!("/api/traces/{id}")).await;
            let mut trace: Trace = found.map(|text| read(&text)).unwrap_or_default();
            if trace.spans.len() >= spans_min {
                trace.spans.sort_by_key(|span| span.start_time);
                return trace.spans;
            }
            assert!(Instant::now() < deadline, "trace {id} has not {spans_min} spans but {:#?}", trace.spans);
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many traces it has.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub async fn traces(&self) -> u64 {
        let text = get(self.dashboard, "/api/traces").await.expect("the collector answers");
        read::<Value>(&text).get("total").and_then(Value::as_u64).expect("a number of traces")
    }

    /// The points of a metric, once there are some.
    ///
    /// # Panics
    /// When there are none.
    pub async fn metric(&self, name: &str) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = get(self.dashboard, &format!("/api/metrics?name={name}")).await.expect("the collector answers");
            let mut points: Vec<Value> = read(&text);
            points.retain(|point| point.get("name").is_some_and(|found| found == name));
            if !points.is_empty() {
                return points;
            }
            assert!(Instant::now() < deadline, "no points of {name}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It is killed right after; what it still writes to the folder is lost with it.
        let _ = self.child.start_kill();
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

fn read<T: for<'de> Deserialize<'de>>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("the collector said {text}: {error}"))
}

/// Free a moment ago.
fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("there are free ports"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}
