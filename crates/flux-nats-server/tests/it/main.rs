//! Each promise of the README, against a real server.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cleanup;
mod client;
mod cluster;
mod fault;
mod find;
mod option;
mod role;
mod start;
mod state;

use client::Client;
use flux_nats_server::{Server, ServerBuilder};

/// A running server.
async fn started(builder: ServerBuilder) -> Server {
    builder.start().await.unwrap_or_else(|error| panic!("{error}"))
}

/// Where the fixtures of TLS lie.
fn tls_file(name: &str) -> String {
    format!("{}/tests/it/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}
