//! What flux-jetstream promises, shown on a real server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bulk;
mod cluster;
mod groups;
#[cfg(feature = "kv")]
mod kv;
#[cfg(feature = "object-store")]
mod objects;
mod provision;
mod publish;
mod rebuild;
mod settle;
mod slots;
#[cfg(feature = "telemetry")]
mod telemetry;

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_nats::ConnectOptions;
use bytes::Bytes;
use flux_core::{Delivery, Publisher as _, Result, Subscriber as _, next};
use flux_jetstream::{JetStream, JsAcker, JsConsumer, JsDeliveries, JsStream, Stored, StreamConfig};
use flux_nats::Nats;
use flux_nats_server::Server;
use tokio::sync::OnceCell;

type Taken = Delivery<Bytes, JsAcker>;

const ACCOUNTS: usize = 256;

/// A JetStream that no other test uses: an account of its own on a server that all share.
async fn jetstream() -> JetStream {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let account = |number| format!("a{number}: {{ jetstream: enabled, users: [{{ user: u{number}, password: pw }}] }}");
    let start = || {
        let accounts: Vec<_> = (0..ACCOUNTS).map(account).collect();
        Server::builder().with_jetstream().config(&format!("accounts {{ {} }}", accounts.join("\n"))).start()
    };
    let server = SERVER.get_or_try_init(start).await.unwrap();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(number < ACCOUNTS, "more tests than accounts");
    let options = ConnectOptions::with_user_and_password(format!("u{number}"), "pw".to_owned());
    JetStream::new(Nats::new(options.connect(server.url()).await.unwrap()))
}

fn config() -> StreamConfig {
    StreamConfig::new("orders", ["orders.>"])
}

async fn stream() -> JsStream {
    jetstream().await.stream(config()).await.unwrap()
}

async fn put(stream: &JsStream, subject: &str, text: &str) -> Result<Stored> {
    stream.publish(subject, Bytes::copy_from_slice(text.as_bytes())).await
}

async fn listen(consumer: &JsConsumer) -> JsDeliveries {
    consumer.subscribe(">").await.unwrap()
}

async fn take(deliveries: &mut JsDeliveries) -> Taken {
    next(Pin::new(deliveries)).await.unwrap().unwrap()
}

fn text(taken: &Taken) -> String {
    String::from_utf8(taken.message.payload.to_vec()).unwrap()
}
