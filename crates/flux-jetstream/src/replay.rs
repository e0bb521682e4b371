//! Historical replay: what is in a stream now, in order, through a handler, then stop.

use std::future::Future;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flux_core::{Consumer as _, Error, ErrorKind, Failure, Message, Result, Stage};
use tokio::time::sleep;

use crate::JsStream;
use crate::bus::sealed::Carries;
use crate::config::{ConsumerConfig, DeliverPolicy};

/// Messages asked for at a time.
const BATCH: usize = 500;
/// Attempts in a row to go on after the connection or the consumer was lost, and the pause after the first; each is twice as
/// long as the one before.
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Which messages of a stream to replay: from somewhere up to the newest one when the replay begins.
#[derive(Debug, Clone)]
#[must_use]
pub struct Replay {
    from: DeliverPolicy,
    filters: Vec<String>,
}

/// What was replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// How many messages were handled.
    pub messages: u64,
    /// The place of the last one; 0 when there was none.
    pub last_sequence: u64,
}

impl Replay {
    /// From the oldest message.
    pub const fn all() -> Self {
        Self { from: DeliverPolicy::All, filters: Vec::new() }
    }

    /// From this place on.
    pub const fn from_sequence(sequence: u64) -> Self {
        Self { from: DeliverPolicy::FromSequence(sequence), filters: Vec::new() }
    }

    /// From the first message stored then or later.
    pub const fn from_time(time: SystemTime) -> Self {
        Self { from: DeliverPolicy::FromTime(time), filters: Vec::new() }
    }

    /// The newest message of each subject.
    pub const fn last_per_subject() -> Self {
        Self { from: DeliverPolicy::LastPerSubject, filters: Vec::new() }
    }

    /// Only what this filter matches; called again, also what the next one does.
    pub fn with_filter(mut self, filter: impl Into<String>) -> Self {
        self.filters.push(filter.into());
        self
    }

    /// The consumer that goes on after `last`, or begins.
    fn consumer(&self, last: u64) -> ConsumerConfig {
        let from = if last == 0 || self.from == DeliverPolicy::LastPerSubject {
            self.from
        } else {
            DeliverPolicy::FromSequence(last + 1)
        };
        let mut config = ConsumerConfig::ephemeral().with_deliver_policy(from).unsettled();
        config.filters.clone_from(&self.filters);
        config
    }
}

pub(crate) async fn run<T, B, H>(bus: &B, what: Replay, handler: H) -> Result<Replayed>
where
    T: Send,
    B: Carries<T> + Sync,
    H: Stage<Message<T>, Error: Into<Failure>>,
{
    let handle = |message: Message<Bytes>, sequence| {
        let message = bus.decode(message);
        let handler = &handler;
        async move {
            match handler.process(message?).await {
                Ok(_) => Ok(()),
                Err(failure) => {
                    let failure: Failure = failure.into();
                    let text = format!("the handler failed at place {sequence}: {failure}");
                    Err(Error::new(ErrorKind::Other, text).with_retryable(false))
                }
            }
        }
    };
    run_with_places(bus.stream(), what, handle).await
}

/// As a replay, for a handler that is also told each message's place.
pub(crate) async fn run_with_places<H, F>(stream: &JsStream, what: Replay, handle: H) -> Result<Replayed>
where
    H: Fn(Message<Bytes>, u64) -> F + Sync,
    F: Future<Output = Result<()>> + Send,
{
    let end = stream.info().await?.last_sequence;
    let mut replayed = Replayed { messages: 0, last_sequence: 0 };
    let (mut failed, mut reached) = (0, 0);
    loop {
        let error = match pass(stream, &what, end, &mut replayed, &handle).await {
            Ok(()) => return Ok(replayed),
            Err(Stopped::ForGood(error)) => return Err(error.with_operation("replay")),
            Err(Stopped::ForNow(error)) => error,
        };
        failed = if replayed.last_sequence > reached { 1 } else { failed + 1 };
        reached = replayed.last_sequence;
        if failed == ATTEMPTS {
            return Err(error.with_operation("replay"));
        }
        sleep(FIRST_PAUSE * 2_u32.pow(failed)).await;
    }
}

/// Picks something of each message.
#[cfg(feature = "kv")]
pub(crate) async fn collect<R: Send>(
    stream: &JsStream,
    what: Replay,
    pick: fn(Message<Bytes>, u64) -> Option<R>,
) -> Result<Vec<R>> {
    let picked = std::sync::Mutex::new(Vec::new());
    let push = |message, sequence| {
        let mut picked = picked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        picked.extend(pick(message, sequence));
        std::future::ready(Ok(()))
    };
    run_with_places(stream, what, push).await?;
    Ok(picked.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

enum Stopped {
    ForNow(Error),
    ForGood(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        // The consumer is gone when the server was restarted.
        if error.is_retryable() || error.kind() == ErrorKind::Closed {
            Self::ForNow(error)
        } else {
            Self::ForGood(error)
        }
    }
}

/// Goes as far as one consumer brings it.
async fn pass<H, F>(
    stream: &JsStream,
    what: &Replay,
    end: u64,
    so_far: &mut Replayed,
    handle: &H,
) -> Result<(), Stopped>
where
    H: Fn(Message<Bytes>, u64) -> F + Sync,
    F: Future<Output = Result<()>> + Send,
{
    let consumer = stream.consumer(what.consumer(so_far.last_sequence)).await?;
    let mut expected = 1;
    loop {
        let batch = consumer.fetch(BATCH, Duration::ZERO).await?;
        if batch.is_empty() {
            return Ok(());
        }
        for item in batch {
            let delivery = item.map_err(Stopped::ForGood)?;
            let sequence = delivery.metadata.sequence.unwrap_or_default();
            if sequence > end {
                return Ok(());
            }
            if delivery.metadata.consumer_sequence != Some(expected) {
                return Err(Stopped::ForNow(Error::new(ErrorKind::Unavailable, "messages were lost on the way")));
            }
            expected += 1;
            if sequence <= so_far.last_sequence {
                continue;
            }
            handle(delivery.into_message(), sequence).await.map_err(Stopped::ForGood)?;
            so_far.messages += 1;
            so_far.last_sequence = sequence;
        }
    }
}
