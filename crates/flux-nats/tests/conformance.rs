//! flux-nats passes the suite on a real server: as bytes, and as JSON under the codec.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_nats::ConnectOptions;
use bytes::Bytes;
use flux_codec::Json;
use flux_conformance::{Capabilities, Fixture, transport_suite};
use flux_core::{Result, Typed};
use flux_nats::{Nats, error};
use flux_nats_server::Server;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

const ACCOUNTS: usize = 256;

/// One server for all cases. Each gets an account of its own, and accounts share no subjects.
async fn connect() -> Result<Nats> {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let account = |number| format!("a{number}: {{ users: [{{ user: u{number}, password: pw }}] }}");
    let start = || {
        let accounts: Vec<_> = (0..ACCOUNTS).map(account).collect();
        Server::builder().config(&format!("accounts {{ {} }}", accounts.join("\n"))).start()
    };
    let server = SERVER.get_or_try_init(start).await?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(number < ACCOUNTS, "more cases than accounts");
    let options = ConnectOptions::with_user_and_password(format!("u{number}"), "pw".to_owned());
    Ok(Nats::new(options.connect(server.url()).await.map_err(error::from_connect)?))
}

fn capabilities() -> Capabilities {
    Capabilities::new("it is in the client's buffer (`Buffered`)", "per publisher").with_groups().with_requests()
}

struct Raw;

impl Fixture for Raw {
    type Payload = Bytes;
    type Bus = Nats;
    const NAME: &'static str = "nats";
    const PAUSED: bool = false;

    fn capabilities() -> Capabilities {
        capabilities()
    }

    async fn open() -> Result<Nats> {
        connect().await
    }

    fn payload(number: u64) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    fn number(payload: &Bytes) -> u64 {
        u64::from_be_bytes(payload.as_ref().try_into().expect("a number was published"))
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Count {
    number: u64,
}

struct Encoded;

impl Fixture for Encoded {
    type Payload = Count;
    type Bus = Typed<Nats, Json>;
    const NAME: &'static str = "nats, encoded";
    const PAUSED: bool = false;

    fn capabilities() -> Capabilities {
        capabilities()
    }

    async fn open() -> Result<Typed<Nats, Json>> {
        Ok(connect().await?.typed(Json))
    }

    fn payload(number: u64) -> Count {
        Count { number }
    }

    fn number(payload: &Count) -> u64 {
        payload.number
    }
}

transport_suite!(raw: Raw, groups, requests);
transport_suite!(encoded: Encoded, groups, requests);
