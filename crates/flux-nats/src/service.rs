//! A NATS micro service (ADR-32): responders that the official tools find, describe and count.

mod config;
mod describe;
mod endpoint;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Poll;
use std::time::SystemTime;

use bytes::Bytes;
use flux_core::{Responder, Result, Telemetry, Typed};
use futures_core::Stream as _;
use tokio::task::AbortHandle;

pub use config::{Endpoint, Service};
pub use endpoint::NatsEndpoint;
use endpoint::Stats;
pub(crate) use endpoint::{Live, Work};

use crate::{Nats, NatsReply, NatsRequests, error};

/// A running micro service. Responders made through it are its endpoints.
///
/// It answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS` until the last handle and the last of its responders are dropped.
#[derive(Clone)]
pub struct NatsService(Arc<Inner>);

struct Inner {
    nats: Nats,
    config: Service,
    id: String,
    started: SystemTime,
    endpoints: Mutex<Vec<Arc<Stats>>>,
    /// The task that answers the tools.
    answering: OnceLock<AbortHandle>,
}

impl Nats {
    /// Starts a micro service over this bus.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`](flux_core::ErrorKind::Closed).
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn service(&self, config: Service) -> Result<NatsService> {
        let started = NatsService::start(self.clone(), config).await;
        started.map_err(|error| error.with_operation("start a service"))
    }
}

impl NatsService {
    async fn start(nats: Nats, config: Service) -> Result<Self> {
        let inbox = nats.client().new_inbox();
        let id = inbox.rsplit('.').next().unwrap_or_default().to_owned();
        let mut subscribers = Vec::with_capacity(9);
        for verb in describe::VERBS {
            let name = config.name();
            for subject in [format!("$SRV.{verb}"), format!("$SRV.{verb}.{name}"), format!("$SRV.{verb}.{name}.{id}")] {
                let subscriber = nats.client().subscribe(subject).await.map_err(error::from_subscribe)?;
                subscribers.push((verb, subscriber));
            }
        }
        nats.confirm().await?;
        let inner = Inner {
            nats,
            config,
            id,
            started: SystemTime::now(),
            endpoints: Mutex::new(Vec::new()),
            answering: OnceLock::new(),
        };
        let inner = Arc::new(inner);
        let task = tokio::spawn(answer(Arc::downgrade(&inner), subscribers));
        // The cell is new, so it is empty.
        let _ = inner.answering.set(task.abort_handle());
        Ok(Self(inner))
    }

    /// The id of this instance, unique among all services.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// A responder that is the endpoint described so.
    #[must_use]
    pub fn endpoint(&self, endpoint: Endpoint) -> NatsEndpoint {
        NatsEndpoint::new(self.clone(), endpoint)
    }

    /// The same service for values.
    pub fn typed<C>(self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self, codec, Telemetry::new("nats"))
    }
}

/// Each subject becomes an endpoint that is named after it; [`endpoint`](NatsService::endpoint) gives one another name.
impl Responder<Bytes, Bytes> for NatsService {
    type Reply = NatsReply;
    type Requests = NatsRequests;

    async fn listen(&self, filter: &str) -> Result<NatsRequests> {
        self.endpoint(Endpoint::named_after(filter)).listen(filter).await
    }

    fn flush_replies(&self) -> impl Future<Output = Result<()>> + Send {
        Responder::<Bytes, Bytes>::flush_replies(&self.0.nats)
    }
}

impl Inner {
    fn endpoints(&self) -> MutexGuard<'_, Vec<Arc<Stats>>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(task) = self.answering.get() {
            task.abort();
        }
    }
}

/// Answers the tools for as long as there is a service.
async fn answer(service: Weak<Inner>, mut subscribers: Vec<(&'static str, async_nats::Subscriber)>) {
    while let Some((verb, question)) = next_of(&mut subscribers).await {
        let Some(service) = service.upgrade() else { return };
        let Some(to) = question.reply else { continue };
        let body = describe::answer(&service, verb);
        if service.nats.hand_over(to, None, body.into()).await.is_err() {
            return;
        }
    }
}

/// The next message of any of the subscriptions; `None` when one has ended.
async fn next_of(
    subscribers: &mut [(&'static str, async_nats::Subscriber)],
) -> Option<(&'static str, async_nats::Message)> {
    poll_fn(|cx| {
        for (verb, subscriber) in &mut *subscribers {
            if let Poll::Ready(message) = Pin::new(subscriber).poll_next(cx) {
                return Poll::Ready(message.map(|message| (*verb, message)));
            }
        }
        Poll::Pending
    })
    .await
}

impl fmt::Debug for NatsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsService").field("config", &self.0.config).field("id", &self.0.id).finish_non_exhaustive()
    }
}
