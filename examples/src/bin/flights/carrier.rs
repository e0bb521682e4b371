//! What carries the messages: the only file that knows the names of transports.

use std::future::pending;
use std::io;
use std::time::Duration;

use flux::http::{self, Http, HttpClient, HttpClientConfig, HttpServer};
use flux::jetstream::{self, JetStream};
use flux::mem::{self, Mem};
use flux::nats::{Nats, NatsConfig};
use flux::nats_server::{Server, ServerBuilder};
use flux::prelude::*;
use tokio::net::TcpListener;

use crate::handlers::on_cancelled;
use crate::input::Input;
use crate::options::{Options, Transport};
use crate::report::Report;
use crate::{Trouble, job};

/// What the streams keep.
const SUBJECTS: [&str; 4] = ["flights.>", "cancelled.>", "alerts.>", "dlq.>"];

/// How long a stream on a server knows a flight again.
const REMEMBERED: Duration = Duration::from_hours(24);

/// Chooses what carries the messages, and nothing else.
pub(crate) async fn carry(options: &Options, input: Input) -> Result<Report, Trouble> {
    match options.transport {
        Transport::Mem => job(Mem::new(), Mem::new(), options, input).await,
        Transport::Stream => {
            let config = mem::StreamConfig::new("flights", SUBJECTS).with_retention(mem::Retention::Interest);
            job(Mem::stream(config)?, Mem::new(), options, input).await
        }
        Transport::Nats => {
            let server = Broker::find(options, Server::builder()).await?;
            let nats = Nats::connect(server.url(), NatsConfig::new().with_name("flights")).await?;
            job(nats.clone(), nats, options, input).await
        }
        Transport::JetStream => {
            let server = Broker::find(options, Server::builder().with_jetstream()).await?;
            let jetstream = JetStream::connect(server.url()).await?;
            let config = jetstream::StreamConfig::new("flights", SUBJECTS)
                .with_retention(jetstream::Retention::Interest)
                .with_duplicate_window(REMEMBERED);
            job(jetstream.stream(config).await?, jetstream.nats().clone(), options, input).await
        }
        Transport::Http => {
            let (listener, base) = listen().await.map_err(Trouble::Input)?;
            let server = HttpServer::default();
            let http = Http::new(HttpClient::new(&base, HttpClientConfig::new())?, server.clone());
            tokio::spawn(async move { http::serve(listener, &server, pending()).await });
            // A POST fails when nobody takes it, and nobody else is there for these.
            tokio::spawn(Router::new().route("cancelled.*", &http, on_cancelled).run());
            job(http.clone(), http, options, input).await
        }
    }
}

/// A free port, and the URL of it.
async fn listen() -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    Ok((listener, base))
}

/// A server that runs already, or one of our own that ends with us.
enum Broker {
    Own(Server),
    Theirs(String),
}

impl Broker {
    async fn find(options: &Options, own: ServerBuilder) -> flux::Result<Self> {
        match &options.server {
            Some(url) => Ok(Self::Theirs(url.clone())),
            None => own.start().await.map(Self::Own),
        }
    }

    fn url(&self) -> &str {
        match self {
            Self::Own(server) => server.url(),
            Self::Theirs(url) => url,
        }
    }
}
