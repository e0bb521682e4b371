//! At least once, in memory: a stream with consumers in the manner of NATS JetStream.
//!
//! The state machine in `state`, `log` and `consumer` is told the time and never waits; what is here and in the other files is
//! the async shell around it.

mod acker;
mod after;
mod config;
mod consumer;
mod deadlines;
mod deliveries;
mod handle;
mod log;
mod members;
mod publish;
mod replay;
mod state;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use flux_core::{Message, Result, SubjectFilter, Telemetry, Typed};
use tokio::sync::Notify;
use tokio::time::Instant;

pub use acker::MemAcker;
pub use config::{ConsumerConfig, DeliverPolicy, Discard, Retention, StreamConfig};
pub use deliveries::StreamDeliveries;
pub use handle::MemConsumer;
pub use publish::Stored;
use state::State;

use crate::Mem;

/// A stream in memory that keeps messages until they are settled.
///
/// What it does is what a JetStream stream with pull consumers does, so a service can be tested with it. It carries bytes, as a
/// wire does; [`typed`](Self::typed) makes it carry values. Time is tokio's: under a paused clock, thirty seconds of ack wait
/// take none.
///
/// # Delivery
/// At least once, in the order of the stream; what is delivered again comes before what is new. A message that was given up
/// after its last delivery stays in the stream until a limit, a purge or a late ack removes it, whatever the retention.
///
/// As a [`Subscriber`](flux_core::Subscriber), each subscription is an ephemeral consumer of all that is in the stream; each
/// queue group is a durable consumer of that name. Other wishes go through [`consumer`](Self::consumer).
///
/// Cloning makes another handle of the same stream. What is in it is gone with the last one.
///
/// # Where a server differs
/// - An ephemeral consumer is gone with its last handle; a server keeps one for 5 s after somebody asked for messages.
/// - [`consumer`](Self::consumer) with another configuration for a durable one is an error; a server may update it.
/// - A message is given up when its last delivery runs out or is nakked; a server notices when somebody asks for messages.
/// - [`ConsumerInfo::redelivered`] counts deliveries; a server counts messages that are unsettled and were delivered again.
/// - A limit on all bytes counts subjects, headers and payloads; a server adds 16 or more for each message. A message that is
///   larger than this limit is refused; a server with [`Discard::Old`] takes it, and lets go of everything.
/// - A duplicate window of zero turns deduplication off; on a server it stands for the default.
#[derive(Clone)]
pub struct MemStream(Arc<Inner>);

/// What all handles, consumers and ackers of a stream share.
struct Inner {
    name: Arc<str>,
    state: Mutex<State>,
    /// Something was settled or a subscription ended; [`MemStream::close`] waits for it.
    drained: Notify,
}

impl Inner {
    /// Changes or reads the state. Foreign code runs afterwards, without the lock: it may come back to the stream.
    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        let closed = state.closed;
        let _payload = state.after.take_payload();
        let after = state.after.take(closed);
        drop(state);
        if let Some(after) = after {
            after.run(&self.drained);
        }
        result
    }

    /// The same with the time, at which nothing is left that is too old.
    fn now<R>(&self, change: impl FnOnce(&mut State, Instant) -> R) -> R {
        self.with(|state| {
            let now = Instant::now();
            state.expire(now);
            change(state, now)
        })
    }
}

/// How full a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// The stream's name.
    pub name: String,
    /// Messages it holds.
    pub messages: u64,
    /// Bytes of their subjects, headers and payloads.
    pub bytes: u64,
    /// The place of the oldest message it holds, or of the next one when it holds none.
    pub first_sequence: u64,
    /// The place of the newest message it has held; 0 when there was none.
    pub last_sequence: u64,
    /// Consumers it has.
    pub consumers: usize,
}

/// How far a consumer is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// The consumer's name; ephemeral ones are given one.
    pub name: String,
    /// Messages that wait for their first delivery.
    pub pending: u64,
    /// Messages that were delivered and are not settled.
    pub ack_pending: usize,
    /// Deliveries made, repeated ones included.
    pub delivered: u64,
    /// Deliveries that were repeated.
    pub redelivered: u64,
    /// Messages given up after their last delivery.
    pub given_up: u64,
}

impl Mem {
    /// A stream in memory that keeps messages until they are settled.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](flux_core::ErrorKind::InvalidInput) and
    /// [`ErrorKind::InvalidSubject`](flux_core::ErrorKind::InvalidSubject) for a configuration that makes no sense.
    pub fn stream(config: StreamConfig) -> Result<MemStream> {
        let (config, subjects) = config.check()?;
        let name: Arc<str> = config.name.as_str().into();
        let state = Mutex::new(State::new(config, subjects));
        Ok(MemStream(Arc::new(Inner { name, state, drained: Notify::new() })))
    }
}

impl MemStream {
    /// The same stream for values.
    pub fn typed<C>(self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self, codec, Telemetry::new("mem"))
    }

    /// The stream's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The consumer with this configuration: a durable one that is there already, or a new one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](flux_core::ErrorKind::InvalidInput) when a durable consumer of that name has another
    /// configuration (the error names the fields), and when a filter matches none of the stream's subjects.
    /// [`ErrorKind::Rejected`](flux_core::ErrorKind::Rejected) on a work queue, when another consumer takes the same messages.
    /// [`ErrorKind::Closed`](flux_core::ErrorKind::Closed).
    pub fn consumer(&self, config: ConsumerConfig) -> Result<MemConsumer> {
        let id = self.0.now(|state, _| state.add_consumer(config))?;
        Ok(MemConsumer::new(Arc::clone(&self.0), id))
    }

    /// Removes a durable consumer; its subscriptions end. Tells whether there was one.
    #[must_use]
    pub fn delete_consumer(&self, name: &str) -> bool {
        self.0.with(|state| state.delete_consumer(name))
    }

    /// The message at this place, if the stream still holds it.
    #[must_use]
    pub fn get(&self, sequence: u64) -> Option<Message<bytes::Bytes>> {
        self.0.now(|state, _| state.log.get(sequence).map(|entry| entry.message.clone()))
    }

    /// Removes every message that `filter` matches, settled or not; returns how many.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`](flux_core::ErrorKind::InvalidSubject).
    pub fn purge(&self, filter: &str) -> Result<u64> {
        let filter = SubjectFilter::new(filter)?;
        Ok(self.0.now(|state, _| state.purge(&filter)))
    }

    /// How full it is.
    #[must_use]
    pub fn info(&self) -> StreamInfo {
        self.0.now(|state, _| StreamInfo {
            name: self.0.name.to_string(),
            messages: state.log.messages(),
            bytes: state.log.bytes(),
            first_sequence: state.log.first_sequence(),
            last_sequence: state.log.next_sequence() - 1,
            consumers: state.consumers.len(),
        })
    }

    /// Closes the stream: publishing fails from now on, subscriptions hand over what is left and end. Waits until every
    /// consumer that somebody subscribes to has settled its messages.
    pub async fn close(&self) {
        self.0.with(State::close);
        loop {
            let mut changed = std::pin::pin!(self.0.drained.notified());
            changed.as_mut().enable();
            match self.0.now(State::poll_drained) {
                Ok(()) => return,
                Err(None) => changed.await,
                // Nobody says so when something runs out or is too old.
                Err(Some(time)) => drop(tokio::time::timeout_at(time, changed).await),
            }
        }
    }
}

impl fmt::Debug for MemStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemStream").field("name", &self.0.name).finish_non_exhaustive()
    }
}
