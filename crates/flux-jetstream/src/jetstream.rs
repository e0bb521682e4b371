//! The connection to JetStream: its API, and what all streams of it share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::client::Request;
use flux_core::{Error, ErrorKind, Result};
use flux_nats::{Nats, NatsConfig};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::error::{ServerError, no_jetstream, unreadable};
use crate::event::{Event, Events};

/// How many events wait for a slow listener before it misses the oldest.
const EVENTS: usize = 256;

/// JetStream over a connection of the caller's.
///
/// Cloning makes another handle of the same connection.
#[derive(Clone)]
pub struct JetStream(Arc<Inner>);

struct Inner {
    nats: Nats,
    prefix: String,
    timeout: Duration,
    events: broadcast::Sender<Event>,
}

/// The body of an API request that needs none; the server refuses `null`.
#[derive(Serialize)]
pub(crate) struct Nothing {}

/// What the server answers to an API request.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer<T> {
    Refused { error: ServerError },
    Done(T),
}

impl JetStream {
    /// JetStream over this connection. Default: an answer must come within 5 s.
    #[must_use]
    pub fn new(nats: Nats) -> Self {
        let events = broadcast::Sender::new(EVENTS);
        Self(Arc::new(Inner { nats, prefix: "$JS.API".to_owned(), timeout: Duration::from_secs(5), events }))
    }

    /// Connects to a server, and takes its JetStream.
    ///
    /// # Errors
    /// Those of [`Nats::connect`]. Whether there is a JetStream shows when a stream is asked for.
    pub async fn connect(url: &str) -> Result<Self> {
        Ok(Self::new(Nats::connect(url, NatsConfig::new()).await?))
    }

    /// The JetStream of this domain, for example on the other side of a leaf node.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is not a name.
    pub fn with_domain(self, domain: &str) -> Result<Self> {
        crate::config::check_name("domain", domain)?;
        Ok(self.changed(|inner| inner.prefix = format!("$JS.{domain}.API")))
    }

    /// How long an answer of the server may take. Default: 5 s.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        self.changed(|inner| inner.timeout = timeout)
    }

    fn changed(&self, change: impl FnOnce(&mut Inner)) -> Self {
        let Inner { nats, prefix, timeout, events } = &*self.0;
        let (nats, prefix, timeout, events) = (nats.clone(), prefix.clone(), *timeout, events.clone());
        let mut inner = Inner { nats, prefix, timeout, events };
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// The connection.
    #[must_use]
    pub fn nats(&self) -> &Nats {
        &self.0.nats
    }

    /// What happens to subscriptions from now on: lost, rebuilt, given up.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.0.events.subscribe())
    }

    pub(crate) fn emit(&self, event: Event) {
        // Without a listener there is nobody to tell.
        let _ = self.0.events.send(event);
    }

    pub(crate) fn client(&self) -> &async_nats::Client {
        self.0.nats.client()
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    #[cfg(feature = "object-store")]
    pub(crate) fn context(&self) -> async_nats::jetstream::Context {
        let builder = async_nats::jetstream::context::ContextBuilder::new().timeout(self.0.timeout);
        builder.api_prefix(self.0.prefix.clone()).build(self.client().clone())
    }

    /// Asks the API.
    pub(crate) async fn api<T: DeserializeOwned>(&self, subject: &str, body: &(impl Serialize + Sync)) -> Result<T> {
        let body = serde_json::to_vec(body).map_err(unreadable)?;
        let request = Request::new().payload(body.into()).timeout(Some(self.0.timeout));
        let subject = format!("{}.{subject}", self.0.prefix);
        let answer = self.client().send_request(subject, request).await;
        let answer = answer.map_err(|error| no_jetstream(flux_nats::error::from_request(error)))?;
        match serde_json::from_slice(&answer.payload).map_err(unreadable)? {
            Answer::Refused { error } => Err(error.into()),
            Answer::Done(done) => Ok(done),
        }
    }

    /// As [`api`](Self::api); `None` when the server says that there is no such thing.
    pub(crate) async fn api_find<T: DeserializeOwned>(&self, subject: &str, missing: u32) -> Result<Option<T>> {
        match self.api(subject, &Nothing {}).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if crate::error::server_code(&error) == Some(missing) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl From<Nats> for JetStream {
    fn from(nats: Nats) -> Self {
        Self::new(nats)
    }
}

impl fmt::Debug for JetStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JetStream").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

/// Names what was being done unless something deeper did.
pub(crate) fn during(operation: &'static str) -> impl Fn(Error) -> Error {
    move |error| if error.operation().is_some() { error } else { error.with_operation(operation) }
}

/// The stream or consumer is not there any more.
pub(crate) fn gone(what: &str, name: &str) -> Error {
    Error::new(ErrorKind::Closed, format!("{what} `{name}` is not there"))
}
