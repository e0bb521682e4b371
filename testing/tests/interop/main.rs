//! Messages to and from other clients: the official Python one, and async-nats without flux.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod core;
mod jetstream;

use flux_core::{Delivery, Result, next};
use flux_nats::Nats;
use flux_nats_server::{Server, ServerBuilder};
use futures_util::Stream;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
}

/// A server of the test's own, and a connection to it.
async fn served(builder: ServerBuilder) -> (Server, Nats) {
    let server = builder.start().await.unwrap_or_else(|error| panic!("{error}"));
    let client = async_nats::connect(server.url()).await.unwrap();
    (server, Nats::new(client))
}

async fn arrived<T, A>(deliveries: &mut (impl Stream<Item = Result<Delivery<T, A>>> + Unpin)) -> Delivery<T, A> {
    next(std::pin::Pin::new(deliveries)).await.expect("the stream goes on").expect("a delivery")
}
