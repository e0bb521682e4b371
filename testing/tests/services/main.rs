//! A service of four kinds of routes on a real server: publish-subscribe, queue, request-reply and JetStream.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod failures;
mod kinds;
mod lifecycle;
mod workers;

use std::time::Duration;

use flux_codec::Json;
use flux_core::{Result, Typed};
use flux_jetstream::{JetStream, JsStream, StreamConfig};
use flux_nats::{Nats, NatsConfig};
use flux_nats_server::Server;
use flux_router::{Handle, Report, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What a test waits for comes sooner than this.
const LIMIT: Duration = Duration::from_secs(20);

/// Messages that a handler may be ahead of its test.
const AHEAD: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
}

/// A server with one stream, and a connection to it.
struct Site {
    server: Server,
    nats: Typed<Nats, Json>,
    stream: Typed<JsStream, Json>,
}

impl Site {
    async fn start() -> Self {
        let server = Server::builder().with_jetstream().start().await.unwrap_or_else(|error| panic!("{error}"));
        let nats = Nats::connect(server.url(), NatsConfig::new()).await.unwrap();
        let config = StreamConfig::new("orders", ["orders.>", "dlq.>"]);
        let stream = JetStream::new(nats.clone()).stream(config).await.unwrap();
        Self { server, nats: nats.typed(Json), stream: stream.typed(Json) }
    }

    /// Another stream, for subjects of this name.
    async fn another(&self, name: &str, change: impl FnOnce(StreamConfig) -> StreamConfig) -> Typed<JsStream, Json> {
        let config = change(StreamConfig::new(name, [format!("{name}.>")]));
        self.stream.wire().jetstream().stream(config).await.unwrap().typed(Json)
    }
}

/// A router that runs beside its test.
struct Running {
    handle: Handle,
    task: JoinHandle<Result<Report>>,
}

impl Running {
    async fn start<S, L>(router: Router<S, L>) -> Self
    where
        S: Clone + Send + 'static,
        L: Send + 'static,
    {
        let handle = router.handle();
        let task = tokio::spawn(router.run());
        handle.ready().await.unwrap();
        Self { handle, task }
    }

    async fn stop(self) -> Report {
        self.handle.stop();
        let report = within(self.task).await.unwrap().unwrap();
        assert!(report.is_drained(), "{report:?}");
        report
    }
}

/// What handlers tell their test.
fn told<T>() -> (mpsc::Sender<T>, mpsc::Receiver<T>) {
    mpsc::channel(AHEAD)
}

async fn next_of<T>(receiver: &mut mpsc::Receiver<T>) -> T {
    within(receiver.recv()).await.expect("a handler goes on")
}

/// The next this many things, in order of their ids.
async fn sorted(receiver: &mut mpsc::Receiver<u64>, count: u64) -> Vec<u64> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(next_of(receiver).await);
    }
    ids.sort_unstable();
    ids
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it takes too long")
}
