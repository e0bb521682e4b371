//! A responder that is counted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use flux_core::{RemoteError, Responder, Result, SubjectFilter, Telemetry, Typed};

use super::NatsService;
use super::config::Endpoint;
use crate::{NatsReply, NatsRequests};

/// A responder of a service under a name of its own.
#[derive(Debug, Clone)]
pub struct NatsEndpoint {
    service: NatsService,
    config: Endpoint,
}

impl NatsEndpoint {
    pub(super) const fn new(service: NatsService, config: Endpoint) -> Self {
        Self { service, config }
    }

    /// The same endpoint for values.
    pub fn typed<C>(self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self, codec, Telemetry::new("nats"))
    }
}

/// What the tools see of it is kept while the service runs: a responder that listens again goes on counting.
impl Responder<Bytes, Bytes> for NatsEndpoint {
    type Reply = NatsReply;
    type Requests = NatsRequests;

    async fn listen(&self, filter: &str) -> Result<NatsRequests> {
        let nats = &self.service.0.nats;
        let group = self.config.group.as_ref().unwrap_or(&nats.config().responder_group);
        let joined = nats.join(filter, Some(group)).await;
        let subscription = joined.map_err(|error| error.with_operation("listen"))?;
        let stats = self.stats(&subscription.filter, group);
        let live = Live::new(self.service.clone(), stats);
        Ok(NatsRequests::new(nats.clone(), subscription, Some(live)))
    }

    fn flush_replies(&self) -> impl Future<Output = Result<()>> + Send {
        self.service.flush_replies()
    }
}

impl NatsEndpoint {
    /// The figures of this endpoint: those from before, or new ones.
    fn stats(&self, filter: &SubjectFilter, group: &str) -> Arc<Stats> {
        let mut endpoints = self.service.0.endpoints();
        let same =
            |stats: &&Arc<Stats>| stats.name == self.config.name && stats.subject == *filter && stats.group == group;
        if let Some(stats) = endpoints.iter().find(same) {
            return Arc::clone(stats);
        }
        let stats = Arc::new(Stats {
            name: self.config.name.clone(),
            subject: filter.clone(),
            group: group.to_owned(),
            metadata: self.config.metadata.clone(),
            live: AtomicUsize::new(0),
            counts: Mutex::default(),
        });
        endpoints.push(Arc::clone(&stats));
        stats
    }
}

/// What the tools see of an endpoint.
pub(super) struct Stats {
    pub(super) name: String,
    pub(super) subject: SubjectFilter,
    pub(super) group: String,
    pub(super) metadata: BTreeMap<String, String>,
    /// Responders that listen.
    live: AtomicUsize,
    counts: Mutex<Counts>,
}

/// What was done so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) last_error: String,
    /// From the time a request was taken to its answer, all together.
    pub(super) busy_ns: u64,
}

impl Stats {
    pub(super) fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed) > 0
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A responder that listens for a service, and keeps it running.
pub(crate) struct Live {
    _service: NatsService,
    stats: Arc<Stats>,
}

impl Live {
    fn new(service: NatsService, stats: Arc<Stats>) -> Self {
        stats.live.fetch_add(1, Ordering::Relaxed);
        Self { _service: service, stats }
    }

    /// A request is taken.
    pub(crate) fn begin(&self) -> Work {
        Work { stats: Arc::clone(&self.stats), started: Instant::now() }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stats.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request that is being worked on.
pub(crate) struct Work {
    stats: Arc<Stats>,
    started: Instant,
}

impl Work {
    /// It is answered.
    pub(crate) fn end(self, error: Option<&RemoteError>) {
        let busy = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut counts = self.stats.lock();
        counts.requests += 1;
        counts.busy_ns = counts.busy_ns.saturating_add(busy);
        if let Some(error) = error {
            counts.errors += 1;
            counts.last_error = format!("{}:{}", error.code(), error.message());
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work")
    }
}
