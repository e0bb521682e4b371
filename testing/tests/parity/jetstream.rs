//! A stream of a real server.

use flux_jetstream::JetStream;
use flux_nats::Nats;
use flux_nats_server::Server;

pub(crate) use flux_jetstream::{
    ConsumerConfig, DeliverPolicy, Discard, JsConsumer as Consumer, JsStream as Stream, Retention, StreamConfig,
};

/// A stream, and what it lives on.
pub(crate) async fn open(config: StreamConfig) -> (Stream, Server) {
    let server = Server::builder().with_jetstream().start().await.unwrap_or_else(|error| panic!("{error}"));
    let client = async_nats::connect(server.url()).await.unwrap();
    (JetStream::new(Nats::new(client)).stream(config).await.unwrap(), server)
}

pub(crate) async fn consumer(stream: &Stream, config: ConsumerConfig) -> flux_core::Result<Consumer> {
    stream.consumer(config).await
}

#[path = "scenarios.rs"]
mod scenarios;
