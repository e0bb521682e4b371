//! A bus that answers its publishers with the outcome, right or wrong in one way.

use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use flux_conformance::{Capabilities, Fixture};
use flux_core::{
    Delivery, Error, ErrorKind, Message, Metadata, Outcome, Publisher, Result, Settle, SubjectFilter, Subscriber,
};
use futures_core::Stream;
use tokio::sync::{mpsc, oneshot};

type Waited = (Message<Bytes>, Back);
type Queue = mpsc::Receiver<Waited>;
type Subscribed = (SubjectFilter, mpsc::Sender<Waited>);

/// More than any case has on its way.
const CAPACITY: usize = 4_096;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slip {
    None,
    /// Says that it is done when it is handed over.
    AnswersAtOnce,
    /// Says that it may be tried again, and not when.
    ForgetsTheDelay,
    /// Waits on for an outcome that nobody will tell.
    WaitsForTheDropped,
    /// Tells the outcome of one subscriber, whatever the others did.
    TellsTheFirst,
    /// Goes on taking messages for a subscription that was dropped.
    StaysSubscribed,
}

#[derive(Clone)]
pub(crate) struct Answering {
    subscribers: Arc<Mutex<Vec<Subscribed>>>,
    slip: Slip,
}

impl Answering {
    /// Hands the message to everyone it is for.
    fn hand_over(&self, message: &Message<Bytes>) -> Vec<oneshot::Receiver<Outcome>> {
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|(_, queue)| !queue.is_closed());
        let matching = subscribers.iter().filter(|(filter, _)| filter.matches(&message.subject));
        let handed = matching.filter_map(|(_, queue)| {
            let (back, outcome) = oneshot::channel();
            queue.try_send((message.clone(), Back(back))).ok().map(|()| outcome)
        });
        handed.collect()
    }

    async fn told(&self, outcome: oneshot::Receiver<Outcome>) -> Result<()> {
        let again = || Error::new(ErrorKind::Unavailable, "it was not done");
        match outcome.await {
            Ok(Outcome::Ack) => Ok(()),
            Ok(Outcome::Term(reason)) => Err(Error::new(ErrorKind::Rejected, reason)),
            Ok(Outcome::NakAfter(delay)) if self.slip != Slip::ForgetsTheDelay => Err(again().with_retry_after(delay)),
            Ok(_) => Err(again()),
            Err(_dropped) if self.slip == Slip::WaitsForTheDropped => pending().await,
            Err(_dropped) => Err(again()),
        }
    }
}

impl Publisher<Bytes> for Answering {
    type Receipt = ();

    async fn send(&self, message: Message<Bytes>) -> Result<()> {
        let outcomes = self.hand_over(&message);
        if outcomes.is_empty() {
            return Err(Error::new(ErrorKind::Unavailable, "nobody takes it"));
        }
        let mut worst = Ok(());
        for outcome in outcomes {
            match self.slip {
                Slip::AnswersAtOnce => break,
                Slip::TellsTheFirst => return self.told(outcome).await,
                _ => worst = worst.and(self.told(outcome).await),
            }
        }
        worst
    }
}

impl Subscriber<Bytes> for Answering {
    type Acker = Back;
    type Deliveries = Deliveries;

    async fn subscribe(&self, filter: &str) -> Result<Deliveries> {
        let (sender, queue) = mpsc::channel(CAPACITY);
        let filter = SubjectFilter::new(filter)?;
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).push((filter, sender));
        Ok(Deliveries { queue: Some(queue), slip: self.slip })
    }
}

/// The way back to the publisher.
pub(crate) struct Back(oneshot::Sender<Outcome>);

impl Settle for Back {
    const REDELIVERS: bool = true;

    async fn settle(self, outcome: Outcome) -> Result<()> {
        self.0.send(outcome).map_err(|_| Error::new(ErrorKind::Closed, "the publisher is gone"))
    }
}

pub(crate) struct Deliveries {
    /// There until the subscription is dropped.
    queue: Option<Queue>,
    slip: Slip,
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        let Some(mut queue) = self.queue.take().filter(|_| self.slip == Slip::StaysSubscribed) else { return };
        tokio::spawn(async move {
            while let Some((_, back)) = queue.recv().await {
                drop(back.settle(Outcome::Ack).await);
            }
        });
    }
}

impl Stream for Deliveries {
    type Item = Result<Delivery<Bytes, Back>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(queue) = &mut self.queue else { return Poll::Ready(None) };
        let next = queue.poll_recv(cx);
        next.map(|next| next.map(|(message, back)| Ok(Delivery::new(message, Metadata::default(), back))))
    }
}

/// A bus with the slip of this number.
pub(crate) struct Answers<const SLIP: usize>;

impl<const SLIP: usize> Fixture for Answers<SLIP> {
    type Payload = Bytes;
    type Bus = Answering;
    const NAME: &'static str = "double that answers";
    const PAUSED: bool = true;

    fn capabilities() -> Capabilities {
        Capabilities::new("it was handled", "none").with_outcomes()
    }

    async fn open() -> Result<Answering> {
        let all = [
            Slip::None,
            Slip::AnswersAtOnce,
            Slip::ForgetsTheDelay,
            Slip::WaitsForTheDropped,
            Slip::TellsTheFirst,
            Slip::StaysSubscribed,
        ];
        let slip = all.get(SLIP).copied().expect("there is a slip of that number");
        Ok(Answering { subscribers: Arc::default(), slip })
    }

    fn payload(number: u64) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    fn number(payload: &Bytes) -> u64 {
        u64::from_be_bytes(payload.as_ref().try_into().expect("a number was published"))
    }
}
