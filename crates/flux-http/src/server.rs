//! The end that receives: who listens to what, and the service that asks them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use flux_core::{OnArrival, Registration, Result, Telemetry, Typed};

use crate::inline::Inline;
use crate::registry::{Arrivals, Registry, Role};
use crate::{HttpReply, HttpServerConfig, HttpService};

/// Subscriptions and responders, and a [`tower::Service`](tower_service::Service) that brings them what is posted.
///
/// It owns no listener: mount [`service`](Self::service) in axum, in hyper or in any other server, or hand it to
/// [`serve`](crate::serve()). Cloning makes another handle of the same subscriptions.
#[derive(Clone)]
pub struct HttpServer(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) registry: Arc<Registry>,
    pub(crate) config: Arc<HttpServerConfig>,
}

impl HttpServer {
    /// A server to which nobody listens yet.
    #[must_use]
    pub fn new(config: HttpServerConfig) -> Self {
        Self(Arc::new(Inner { registry: Arc::default(), config: Arc::new(config) }))
    }

    /// The service to mount.
    #[must_use]
    pub fn service(&self) -> HttpService {
        HttpService::new(Arc::clone(&self.0))
    }

    /// Takes nothing more: from now on senders are told 503 with `Retry-After`, subscriptions hand over what had arrived, and
    /// end. Who waits for an answer still gets it.
    pub fn drain(&self) {
        self.0.registry.close();
    }

    /// The same server for values.
    pub fn typed<C>(self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self, codec, Telemetry::new("http"))
    }

    pub(crate) fn add(&self, filter: &str, role: Role, group: Option<&str>) -> Result<Arrivals> {
        self.0.registry.add(filter, role, group, self.0.config.capacity)
    }

    pub(crate) fn add_inline(
        &self,
        filter: &str,
        concurrency: usize,
        on_arrival: OnArrival<Bytes, HttpReply>,
    ) -> Result<Registration> {
        let inline = Inline::new(on_arrival, concurrency, self.0.config.capacity);
        let (place, gone) = self.0.registry.add_inline(filter, &inline)?;
        let withdrawing = Arc::clone(&inline);
        let withdraw = move || {
            drop(place);
            withdrawing.withdraw();
        };
        let ended = async move {
            let _ = gone.await;
            inline.idle().await;
        };
        Ok(Registration::new(withdraw, ended))
    }
}

impl Default for HttpServer {
    fn default() -> Self {
        Self::new(HttpServerConfig::new())
    }
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer").field("config", &self.0.config).finish_non_exhaustive()
    }
}
