//! flux-http passes the suite over real sockets: as bytes, as JSON under the codec, and over HTTP/2.

use std::future::pending;

use bytes::Bytes;
use flux_codec::Json;
use flux_conformance::{Capabilities, Fixture, transport_suite};
use flux_core::{Result, Typed};
use flux_http::{Http, HttpClient, HttpClientConfig, HttpServer, HttpServerConfig, serve};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// A server on a port of its own, and a client of it.
async fn open(client: HttpClientConfig, server: HttpServerConfig) -> Result<Http> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let server = HttpServer::new(server);
    let served = server.clone();
    tokio::spawn(async move { serve(listener, &served, pending()).await });
    Ok(Http::new(HttpClient::new(&base, client)?, server))
}

macro_rules! bytes_over_http {
    ($fixture:ident $name:literal $bus:expr, $capabilities:expr) => {
        struct $fixture;

        impl Fixture for $fixture {
            type Payload = Bytes;
            type Bus = Http;
            const NAME: &'static str = $name;
            const PAUSED: bool = false;

            fn capabilities() -> Capabilities {
                $capabilities
            }

            async fn open() -> Result<Http> {
                $bus.await
            }

            fn payload(number: u64) -> Bytes {
                Bytes::copy_from_slice(&number.to_be_bytes())
            }

            fn number(payload: &Bytes) -> u64 {
                u64::from_be_bytes(payload.as_ref().try_into().expect("a number was published"))
            }
        }
    };
}

fn capabilities() -> Capabilities {
    let answered = "the peer answered 2xx (`Accepted{status}`)";
    Capabilities::new(answered, "none").with_outcomes().with_groups().without_header_case().with_requests()
}

bytes_over_http!(Raw "http" open(HttpClientConfig::new(), HttpServerConfig::new()), capabilities());
#[cfg(feature = "http2")]
bytes_over_http!(Two "http, HTTP/2" open(HttpClientConfig::new().with_http2(), HttpServerConfig::new()), capabilities());

#[derive(Clone, Serialize, Deserialize)]
struct Count {
    number: u64,
}

struct Encoded;

impl Fixture for Encoded {
    type Payload = Count;
    type Bus = Typed<Http, Json>;
    const NAME: &'static str = "http, encoded";
    const PAUSED: bool = false;

    fn capabilities() -> Capabilities {
        capabilities()
    }

    async fn open() -> Result<Typed<Http, Json>> {
        Ok(open(HttpClientConfig::new(), HttpServerConfig::new()).await?.typed(Json))
    }

    fn payload(number: u64) -> Count {
        Count { number }
    }

    fn number(payload: &Count) -> u64 {
        payload.number
    }
}

transport_suite!(raw: Raw, groups, outcomes, requests);
transport_suite!(encoded: Encoded, groups, outcomes, requests);
#[cfg(feature = "http2")]
transport_suite!(http2: Two, groups, outcomes, requests);

bytes_over_http!(Early "http, early" open(HttpClientConfig::new(), HttpServerConfig::new().with_early_answer()), capabilities());

/// The suite would notice if the answer did not wait for the handler.
#[test]
fn an_early_answer_is_no_outcome() {
    let cases: Vec<_> = flux_conformance::__part!(list outcomes Early);
    let report = flux_conformance::run(&cases, flux_conformance::Flavor::CurrentThread);
    assert_eq!(report.passed, [] as [&str; 0], "{:?}", report.failed);
}
