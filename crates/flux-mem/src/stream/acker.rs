//! Settles one delivery of a stream.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use flux_core::{Acker, Result};

use super::Inner;
use super::state::ConsumerId;

/// Settles one delivery of a [`MemStream`](crate::MemStream).
///
/// Settlements go by the message, as JetStream's do: one that comes after the message was delivered again still counts, and
/// one for a message that is settled already does nothing. None of them can fail.
pub struct MemAcker {
    pub(super) inner: Arc<Inner>,
    pub(super) consumer: ConsumerId,
    pub(super) sequence: u64,
}

impl MemAcker {
    fn settle(&self) -> impl Future<Output = Result<()>> + Send + use<> {
        self.inner.with(|state| state.settle(self.consumer, self.sequence));
        ready(Ok(()))
    }
}

impl Acker for MemAcker {
    fn ack(self) -> impl Future<Output = Result<()>> + Send {
        self.settle()
    }

    fn nak(self, delay: Option<Duration>) -> impl Future<Output = Result<()>> + Send {
        self.inner.now(|state, now| {
            if let Some((consumer, _, after)) = state.consumer(self.consumer) {
                consumer.again(self.sequence, delay.unwrap_or_default(), now, after);
            }
        });
        ready(Ok(()))
    }

    fn term(self, _reason: &str) -> impl Future<Output = Result<()>> + Send {
        self.settle()
    }

    fn progress(&self) -> impl Future<Output = Result<()>> + Send {
        self.inner.now(|state, now| {
            if let Some((consumer, _, after)) = state.consumer(self.consumer) {
                consumer.extend(self.sequence, now, after);
            }
        });
        ready(Ok(()))
    }
}

impl fmt::Debug for MemAcker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemAcker").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}
