//! Faults of real servers and services, under a router with typed handlers: what was lost, and what was doubled.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and says what it counted"
)]

mod backlog;
mod crash;
mod poison;
mod service;
mod tally;

use std::time::Duration;

use flux_codec::Json;
use flux_core::{Message, Result, Typed};
use flux_jetstream::{ConsumerConfig, JetStream, JsStream, StreamConfig};
use flux_nats::Nats;
use flux_nats_server::Server;
use flux_router::{Handle, Report, Router};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

/// No fault takes longer than this to get over.
const LIMIT: Duration = Duration::from_secs(50);

type Bus = Typed<JsStream, Json>;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Job {
    number: u64,
}

/// A message with the number as its id.
fn job(number: u64) -> Message<Job> {
    Message::new("jobs.new", Job { number }).unwrap().with_id(number).unwrap()
}

fn stream_config() -> StreamConfig {
    StreamConfig::new("jobs", ["jobs.>", "dlq.>"])
}

/// The stream on this server, made if it is missing; its queue groups wait this long for an ack.
async fn bus(urls: &str, config: StreamConfig, ack_wait: Duration) -> Bus {
    let urls: Vec<_> = urls.split(',').map(str::to_owned).collect();
    let nats = Nats::new(async_nats::connect(urls).await.unwrap());
    let jetstream = JetStream::new(nats).with_timeout(Duration::from_secs(2));
    let stream = loop {
        // A cluster that chooses a leader just then answers nobody.
        match jetstream.stream(config.clone()).await {
            Ok(stream) => break stream,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    };
    stream.with_consumer_defaults(ConsumerConfig::ephemeral().with_ack_wait(ack_wait)).typed(Json)
}

/// A server of the test's own, and the stream on it.
async fn alone(ack_wait: Duration) -> (Server, Bus) {
    let server = Server::builder().with_jetstream().start().await.unwrap_or_else(|error| panic!("{error}"));
    let bus = bus(server.url(), stream_config(), ack_wait).await;
    (server, bus)
}

/// Runs it, and waits until it takes messages.
async fn start<L>(router: Router<impl Clone + Send + 'static, L>) -> (Handle, JoinHandle<Result<Report>>)
where
    L: Send + 'static,
{
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    (handle, running)
}

/// Waits until nothing is left to handle, however often the server cannot tell.
async fn settled(handle: &Handle) {
    while let Err(error) = handle.settled().await {
        assert!(error.is_retryable(), "{error}");
    }
}

async fn stopped(handle: &Handle, running: JoinHandle<Result<Report>>) -> Report {
    handle.stop();
    let report = running.await.unwrap().unwrap();
    assert!(report.is_drained(), "{report:?}");
    report
}

/// Fails a test that does not end.
async fn within<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, test).await.expect("the fault was not got over")
}
