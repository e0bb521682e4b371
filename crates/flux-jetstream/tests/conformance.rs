//! flux-jetstream passes the suite on a real server: as bytes, and as text under the codec.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::ConnectOptions;
use bytes::Bytes;
use flux_codec::Text;
use flux_conformance::{Capabilities, Fixture, Pull, Redelivers, transport_suite};
use flux_core::{Result, Typed};
use flux_jetstream::{ConsumerConfig, JetStream, JsConsumer, JsStream, Storage, StreamConfig};
use flux_nats::{Nats, error};
use flux_nats_server::Server;
use tokio::sync::OnceCell;

const ACCOUNTS: usize = 256;
const ACK_WAIT: Duration = Duration::from_secs(1);

/// One server for all cases. Each gets an account of its own, and accounts share no streams.
async fn stream() -> Result<JsStream> {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let account = |number| format!("a{number}: {{ jetstream: enabled, users: [{{ user: u{number}, password: pw }}] }}");
    let start = || {
        let accounts: Vec<_> = (0..ACCOUNTS).map(account).collect();
        Server::builder().with_jetstream().config(&format!("accounts {{ {} }}", accounts.join("\n"))).start()
    };
    let server = SERVER.get_or_try_init(start).await?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(number < ACCOUNTS, "more cases than accounts");
    let options = ConnectOptions::with_user_and_password(format!("u{number}"), "pw".to_owned());
    let nats = Nats::new(options.connect(server.url()).await.map_err(error::from_connect)?);
    let config = StreamConfig::new("conformance", ["conformance.>"]).with_storage(Storage::Memory);
    let stream = JetStream::new(nats).stream(config).await?;
    Ok(stream.with_consumer_defaults(ConsumerConfig::ephemeral().with_ack_wait(ACK_WAIT)))
}

fn capabilities() -> Capabilities {
    let receipt = "the server stored it (`Stored`)";
    Capabilities::new(receipt, "per stream").with_groups().with_redelivery().with_pull()
}

fn puller(filter: &str) -> ConsumerConfig {
    ConsumerConfig::durable("puller").with_filter(filter).with_ack_wait(ACK_WAIT)
}

struct Raw;

impl Fixture for Raw {
    type Payload = Bytes;
    type Bus = JsStream;
    const NAME: &'static str = "jetstream";
    const PAUSED: bool = false;

    fn capabilities() -> Capabilities {
        capabilities()
    }

    async fn open() -> Result<JsStream> {
        stream().await
    }

    fn payload(number: u64) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    fn number(payload: &Bytes) -> u64 {
        u64::from_be_bytes(payload.as_ref().try_into().expect("a number was published"))
    }
}

impl Redelivers for Raw {
    fn ack_wait() -> Duration {
        ACK_WAIT
    }
}

impl Pull for Raw {
    type Consumer = JsConsumer;

    async fn consumer(bus: &JsStream, filter: &str) -> Result<JsConsumer> {
        bus.consumer(puller(filter)).await
    }

    fn ack_wait() -> Duration {
        ACK_WAIT
    }
}

struct Encoded;

impl Fixture for Encoded {
    type Payload = String;
    type Bus = Typed<JsStream, Text>;
    const NAME: &'static str = "jetstream, encoded";
    const PAUSED: bool = false;

    fn capabilities() -> Capabilities {
        capabilities()
    }

    async fn open() -> Result<Typed<JsStream, Text>> {
        Ok(stream().await?.typed(Text))
    }

    fn payload(number: u64) -> String {
        number.to_string()
    }

    fn number(payload: &String) -> u64 {
        payload.parse().expect("a number was published")
    }
}

impl Redelivers for Encoded {
    fn ack_wait() -> Duration {
        ACK_WAIT
    }
}

impl Pull for Encoded {
    type Consumer = Typed<JsConsumer, Text>;

    async fn consumer(bus: &Typed<JsStream, Text>, filter: &str) -> Result<Self::Consumer> {
        Ok(bus.wire().consumer(puller(filter)).await?.typed(Text))
    }

    fn ack_wait() -> Duration {
        ACK_WAIT
    }
}

transport_suite!(raw: Raw, groups, redelivers, pull);
transport_suite!(encoded: Encoded, groups, redelivers, pull);
