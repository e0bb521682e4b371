//! Settles one delivery of a stream.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::client::Request;
use bytes::Bytes;
use flux_core::{Acker, Error, ErrorKind, Result};
use tokio::time::Instant;

use crate::JetStream;
use crate::config::Acks;

const ACK: Bytes = Bytes::from_static(b"+ACK");
const NAK: Bytes = Bytes::from_static(b"-NAK");
const PROGRESS: Bytes = Bytes::from_static(b"+WPI");

/// A handler that took this long is not held up by a confirmation.
const SLOW: Duration = Duration::from_millis(100);

/// What the deliveries of one subscription know about their settlements.
pub(crate) struct Ledger {
    pub(crate) jetstream: JetStream,
    acks: Acks,
    settled: AtomicU64,
    places: Mutex<Places>,
}

#[derive(Debug)]
struct Places {
    unsettled: BTreeSet<u64>,
    next: u64,
}

impl Ledger {
    /// Nothing before `next` concerns this subscription.
    pub(crate) fn new(jetstream: JetStream, acks: Acks, next: u64) -> Self {
        let places = Mutex::new(Places { unsettled: BTreeSet::new(), next });
        Self { jetstream, acks, settled: AtomicU64::new(0), places }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn delivered(&self, sequence: u64) {
        let mut places = self.places();
        places.unsettled.insert(sequence);
        places.next = places.next.max(sequence + 1);
    }

    /// A message was handed over that nobody has to settle.
    pub(crate) fn passed(&self, sequence: u64) {
        let mut places = self.places();
        places.next = places.next.max(sequence + 1);
    }

    fn is_settled(&self, sequence: u64) {
        self.places().unsettled.remove(&sequence);
        self.settled.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were settled so far.
    pub(crate) fn settled(&self) -> u64 {
        self.settled.load(Ordering::Relaxed)
    }

    /// Where a consumer has to begin that takes the place of one that is gone.
    pub(crate) fn floor(&self) -> u64 {
        let places = self.places();
        places.unsettled.first().copied().unwrap_or(places.next)
    }

    /// The deliveries of a consumer that is gone cannot be settled any more; its successor makes them again.
    pub(crate) fn forget(&self) {
        let mut places = self.places();
        places.next = places.unsettled.first().copied().unwrap_or(places.next);
        places.unsettled.clear();
    }

    pub(crate) async fn tell(&self, reply: async_nats::Subject, word: Bytes) -> Result<()> {
        self.jetstream.client().publish(reply, word).await.map_err(flux_nats::error::from_publish)
    }

    pub(crate) async fn nak(&self, reply: async_nats::Subject) -> Result<()> {
        self.tell(reply, NAK).await
    }

    pub(crate) async fn progress(&self, reply: async_nats::Subject) -> Result<()> {
        self.tell(reply, PROGRESS).await
    }

    async fn confirm(&self, reply: async_nats::Subject, word: Bytes) -> Result<()> {
        let request = Request::new().payload(word).timeout(Some(self.jetstream.timeout()));
        let answer = self.jetstream.client().send_request(reply, request).await;
        answer.map(drop).map_err(|error| {
            let error = flux_nats::error::from_request(error);
            if error.kind() != ErrorKind::NoResponder {
                return error;
            }
            Error::new(ErrorKind::Unavailable, "nobody takes the settlement; the message may be delivered again")
        })
    }
}

/// Settles one delivery of a [`JsStream`](crate::JsStream).
///
/// Settlements go by the message: one that comes after the message was delivered again still counts, and one for a message
/// that is settled already does nothing. When each returns, [`Acks`] says; a nak and a sign of progress are never confirmed.
pub struct JsAcker {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) reply: async_nats::Subject,
    pub(crate) sequence: u64,
    pub(crate) taken: Instant,
    /// No further delivery follows a nak.
    pub(crate) last: bool,
}

impl JsAcker {
    /// Done; never deliver it again. Returns when the server has confirmed it, whatever [`Acks`] says.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] and [`ErrorKind::Unavailable`] when no confirmation came. The message may be delivered again.
    pub async fn ack_confirmed(self) -> Result<()> {
        self.settle(ACK, true).await
    }

    async fn settle(self, word: Bytes, confirm: bool) -> Result<()> {
        let Self { ledger, reply, sequence, .. } = self;
        if confirm {
            ledger.confirm(reply, word).await?;
        } else {
            ledger.tell(reply, word).await?;
        }
        ledger.is_settled(sequence);
        Ok(())
    }

    fn confirms(&self) -> bool {
        match self.ledger.acks {
            Acks::Sent => false,
            Acks::Confirmed => true,
            Acks::Measured => self.taken.elapsed() >= SLOW,
        }
    }
}

impl Acker for JsAcker {
    async fn ack(self) -> Result<()> {
        let confirm = self.confirms();
        self.settle(ACK, confirm).await
    }

    async fn nak(self, delay: Option<Duration>) -> Result<()> {
        let Self { ledger, reply, sequence, last, .. } = self;
        let word = match delay.map(|delay| delay.as_nanos()) {
            None | Some(0) => NAK,
            Some(nanos) => format!("-NAK {{\"delay\":{nanos}}}").into(),
        };
        ledger.tell(reply, word).await?;
        if last {
            ledger.is_settled(sequence);
        }
        Ok(())
    }

    async fn term(self, reason: &str) -> Result<()> {
        let confirm = self.confirms();
        // The server reports the reason in an advisory, on one line.
        let reason: String = reason.chars().map(|char| if char.is_control() { ' ' } else { char }).take(1024).collect();
        let word = if reason.is_empty() { "+TERM".to_owned() } else { format!("+TERM {reason}") };
        self.settle(word.into(), confirm).await
    }

    async fn progress(&self) -> Result<()> {
        self.ledger.progress(self.reply.clone()).await
    }
}

impl fmt::Debug for JsAcker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsAcker").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}
