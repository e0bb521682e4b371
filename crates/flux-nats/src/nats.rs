//! The bus: a client, and what it was told.

use std::fmt;
use std::sync::Arc;

use async_nats::{Client, HeaderMap};
use flux_core::{Headers, Telemetry, Typed};

use crate::{NatsConfig, wire};

/// Core NATS over a client of the caller's.
///
/// Cloning makes another handle of the same connection.
#[derive(Clone)]
pub struct Nats(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) config: NatsConfig,
}

impl Nats {
    /// A bus over this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self::with_config(client, NatsConfig::new())
    }

    /// A bus over this client with these options. Those of the connection itself are the client's own.
    #[must_use]
    pub fn with_config(client: Client, config: NatsConfig) -> Self {
        Self(Arc::new(Inner { client, config }))
    }

    pub(crate) fn config(&self) -> &NatsConfig {
        &self.0.config
    }

    /// The headers as this bus writes them.
    pub(crate) fn native_headers(&self, headers: &Headers) -> Option<HeaderMap> {
        let left_out = !self.config().content_type && wire::is_lone_content_type(headers);
        if left_out { None } else { wire::headers(headers) }
    }

    /// The client beneath.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// The same bus for values.
    pub fn typed<C>(self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self, codec, Telemetry::new("nats"))
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("state", &self.client().connection_state()).finish_non_exhaustive()
    }
}
