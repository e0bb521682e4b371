//! What flux-nats promises beyond the suite, each on a server of its own.

mod connect;
mod events;
mod many;
mod publish;
mod request;
mod secure;
mod service;
mod subscribe;

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Result, next};
use flux_nats::{Nats, NatsConfig, NatsEvent, NatsEvents};
use flux_nats_server::Server;

/// How long anything may take before the test fails.
const LIMIT: Duration = Duration::from_secs(20);

async fn server() -> Result<Server> {
    Server::builder().start().await
}

async fn connect(server: &Server) -> Result<Nats> {
    Nats::connect(server.url(), NatsConfig::new()).await
}

/// What `future` gives, which must not take for ever.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it hangs")
}

/// Waits for an event like this one.
async fn await_event(events: &mut NatsEvents, wanted: impl Fn(&NatsEvent) -> bool + Send + Sync) -> NatsEvent {
    let wait = async {
        loop {
            let event = next(pin!(&mut *events)).await.expect("the bus lives");
            if wanted(&event) {
                return event;
            }
        }
    };
    within(wait).await
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}
