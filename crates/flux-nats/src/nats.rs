//! The bus: a client, and what it was told.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_nats::{Client, HeaderMap, ServerAddr};
use flux_core::{Error, ErrorKind, Headers, Result, Telemetry, Typed};

use crate::config::check_provider;
use crate::request::Leaving;
use crate::{Credentials, Monitor, NatsConfig, error, wire};

/// Core NATS over a client of the caller's.
///
/// Cloning makes another handle of the same connection.
#[derive(Clone)]
pub struct Nats(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) config: NatsConfig,
    pub(crate) monitor: Monitor,
    /// The headers of a message that names its content type and nothing else: a clone is made without hashing. A bus has one
    /// codec; a further one does without.
    content_type: OnceLock<(&'static str, HeaderMap)>,
    pub(crate) leaving: Leaving,
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
        Self::with_parts(client, config, Monitor::new())
    }

    /// Connects to a server, or to one of several whose URLs are separated by commas: `nats://host:4222`, `tls://host`,
    /// `nats://user:password@host`, `nats://token@host`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a URL that is none, or a file that cannot be read. Unless the configuration retries from
    /// the start: [`ErrorKind::Unavailable`] and [`ErrorKind::TimedOut`] when no server answers, [`ErrorKind::Rejected`] when it
    /// does not let us in. [`ErrorKind::Unsupported`] for TLS without a provider.
    pub async fn connect(url: &str, config: NatsConfig) -> Result<Self> {
        let addresses = url.split(',').map(|url| parse(url.trim())).collect::<Result<Vec<_>>>()?;
        if addresses.iter().any(ServerAddr::tls_required) {
            check_provider()?;
        }
        let mut config = config;
        if let (Credentials::None, Some(first)) = (&config.credentials, addresses.first()) {
            config.credentials = Credentials::from_url(first);
        }
        let monitor = Monitor::new();
        let observer = monitor.clone();
        let options = config.to_options().await?.event_callback(move |event| {
            observer.observe(event);
            std::future::ready(())
        });
        let client = options.connect(addresses).await.map_err(error::from_connect)?;
        Ok(Self::with_config(client, config).with_monitor(monitor))
    }

    /// The same bus, with a monitor that the client's events are reported to.
    #[must_use]
    pub fn with_monitor(self, monitor: Monitor) -> Self {
        let Inner { client, config, .. } = &*self.0;
        Self::with_parts(client.clone(), config.clone(), monitor)
    }

    fn with_parts(client: Client, config: NatsConfig, monitor: Monitor) -> Self {
        Self(Arc::new(Inner { client, config, monitor, content_type: OnceLock::new(), leaving: Leaving::default() }))
    }

    /// What happens to the connection. Nothing is heard of a client of your own unless it [reports](Self::with_monitor).
    #[must_use]
    pub fn monitor(&self) -> &Monitor {
        &self.0.monitor
    }

    /// Ends the connection: subscriptions hand over what had arrived and end, what was sent is written out, and everything
    /// else fails from now on. Other handles of the same client are closed with it.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn close(&self) -> Result<()> {
        self.client().drain().await.map_err(|error| error::from_drain(error).with_operation("close"))
    }

    #[inline]
    pub(crate) fn config(&self) -> &NatsConfig {
        &self.0.config
    }

    /// The headers as this bus writes them; `None` when there are none to write. That a message is JSON goes without saying,
    /// unless it was [configured](NatsConfig::with_json_content_type) or its publisher said so by name.
    #[inline]
    #[must_use]
    pub fn headers(&self, headers: &Headers) -> Option<HeaderMap> {
        let content_type = headers.codec_content_type();
        let silent = content_type == Some(wire::JSON) && !self.config().json_content_type;
        // Most messages have nothing to write, which is found out without a call.
        if headers.len() == usize::from(silent) { None } else { Some(self.write(headers, content_type, silent)) }
    }

    /// The headers, all or without the content type that is `silent`.
    #[inline(never)]
    fn write(&self, headers: &Headers, content_type: Option<&'static str>, silent: bool) -> HeaderMap {
        let Some(content_type) = content_type else { return wire::headers(headers).unwrap_or_default() };
        if silent {
            return wire::headers_beside_content_type(HeaderMap::new(), headers);
        }
        // To copy a map takes less than to make one.
        let (known, map) = self.0.content_type.get_or_init(|| (content_type, wire::content_type(content_type)));
        let map = if *known == content_type { map.clone() } else { wire::content_type(content_type) };
        wire::headers_beside_content_type(map, headers)
    }

    /// The client beneath.
    #[inline]
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// The same bus for values.
    pub fn typed<C>(self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self, codec, Telemetry::new("nats"))
    }
}

fn parse(url: &str) -> Result<ServerAddr> {
    url.parse().map_err(|cause: std::io::Error| {
        let shown: String = url.split('@').next_back().unwrap_or_default().chars().take(80).collect();
        let text = format!("`{}` is not the URL of a NATS server", shown.escape_debug());
        Error::new(ErrorKind::InvalidInput, text).with_source(cause).with_operation("connect")
    })
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("state", &self.client().connection_state()).finish_non_exhaustive()
    }
}
