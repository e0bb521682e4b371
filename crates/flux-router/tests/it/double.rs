//! A transport that delivers what the test says, and writes down how it is settled.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use flux_core::{
    Acker, Backlog, BoxFuture, Delivery, Error, ErrorKind, Message, Metadata, Outcome, Outstanding, Publisher, Result,
    Subject, Subscriber,
};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

/// What happened, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Did {
    Settled(u64, Outcome),
    Progress(u64),
    Published(Message<u64>),
    Flushed,
    Confirmed,
}

type Item = Result<Delivery<u64, Record>>;

/// Deliveries of numbers; the number is also the delivery's id in the log.
#[derive(Clone, Default)]
pub(crate) struct Script {
    subscriptions: Arc<Mutex<VecDeque<Result<UnboundedReceiver<Item>>>>>,
    log: Arc<Mutex<Vec<(Instant, Did)>>>,
    refuse: Arc<Mutex<u32>>,
    /// How long the peer takes to store what is published.
    stores_for: Duration,
    written: Arc<Notify>,
    /// Whether the transport tells its backlog, and confirms settlements.
    confirms: bool,
    /// Whether settlements are lost on their way.
    loses: bool,
    /// How the transport flushes, where it does more than to write it down.
    flush: Option<fn() -> BoxFuture<'static, Result<()>>>,
}

impl Script {
    /// One that has to be asked to confirm settlements.
    pub(crate) fn confirming() -> Self {
        Self { confirms: true, ..Self::default() }
    }

    /// One whose peer takes this long to store what is published.
    pub(crate) fn storing_for(stores_for: Duration) -> Self {
        Self { stores_for, ..Self::default() }
    }

    /// One that settlements do not reach.
    pub(crate) fn losing_settlements() -> Self {
        Self { loses: true, ..Self::default() }
    }

    /// One that flushes in this way.
    pub(crate) fn flushing(flush: fn() -> BoxFuture<'static, Result<()>>) -> Self {
        Self { flush: Some(flush), ..Self::default() }
    }

    /// Prepares the next subscription; what is sent to the sender is delivered.
    pub(crate) fn subscription(&self) -> UnboundedSender<Item> {
        let (sender, receiver) = unbounded_channel();
        self.subscriptions.lock().unwrap().push_back(Ok(receiver));
        sender
    }

    /// Lets the next attempt to subscribe fail.
    pub(crate) fn refuse_subscription(&self, error: Error) {
        self.subscriptions.lock().unwrap().push_back(Err(error));
    }

    /// Lets the next `times` publishes fail.
    pub(crate) fn refuse_publishing(&self, times: u32) {
        *self.refuse.lock().unwrap() = times;
    }

    /// A delivery of `number`, the `delivered`th of it.
    pub(crate) fn delivery(&self, number: u64, delivered: u64) -> Item {
        self.delivery_of(Message::new("numbers.new", number).unwrap(), delivered)
    }

    pub(crate) fn delivery_of(&self, message: Message<u64>, delivered: u64) -> Item {
        let mut metadata = Metadata::default();
        metadata.delivered = Some(delivered);
        metadata.ack_wait = Some(Duration::from_secs(30));
        metadata.stream = Some("numbers".into());
        metadata.sequence = Some(7);
        let acker = Record { number: message.payload, script: self.clone() };
        Ok(Delivery::new(message, metadata, acker))
    }

    fn refuses(&self) -> bool {
        let mut refuse = self.refuse.lock().unwrap();
        let refuses = *refuse > 0;
        *refuse = refuse.saturating_sub(1);
        refuses
    }

    pub(crate) fn write(&self, did: Did) {
        self.log.lock().unwrap().push((Instant::now(), did));
        self.written.notify_waiters();
    }

    pub(crate) fn log(&self) -> Vec<Did> {
        self.log.lock().unwrap().iter().map(|(_, did)| did.clone()).collect()
    }

    pub(crate) fn times(&self) -> Vec<Instant> {
        self.log.lock().unwrap().iter().map(|(time, _)| *time).collect()
    }

    /// Waits until `count` things have happened, for an hour at most.
    pub(crate) async fn until(&self, count: usize) -> Vec<Did> {
        let happened = async {
            loop {
                let mut written = pin!(self.written.notified());
                written.as_mut().enable();
                let log = self.log();
                if log.len() >= count {
                    return log;
                }
                written.await;
            }
        };
        let happened = tokio::time::timeout(Duration::from_secs(3600), happened).await;
        happened.unwrap_or_else(|_| panic!("{count} things never happened, but these did: {:?}", self.log()))
    }

    pub(crate) fn letters(&self) -> Vec<Message<u64>> {
        let letter = |did| if let Did::Published(message) = did { Some(message) } else { None };
        self.log().into_iter().filter_map(letter).collect()
    }
}

impl Subscriber<u64> for Script {
    type Acker = Record;
    type Deliveries = Deliveries;

    async fn subscribe(&self, _filter: &str) -> Result<Deliveries> {
        let next = self.subscriptions.lock().unwrap().pop_front();
        let next = next.unwrap_or_else(|| Err(Error::new(ErrorKind::Closed, "no more subscriptions")));
        Ok(Deliveries(next?, self.confirms.then(|| self.clone())))
    }

    fn backlog(deliveries: &Deliveries) -> Option<Arc<dyn Backlog>> {
        Some(Arc::new(deliveries.1.clone()?))
    }
}

impl Publisher<u64> for Script {
    type Receipt = ();

    async fn send(&self, message: Message<u64>) -> Result<()> {
        if self.refuses() {
            return Err(Error::new(ErrorKind::Unavailable, "the peer is away"));
        }
        if !self.stores_for.is_zero() {
            tokio::time::sleep(self.stores_for).await;
        }
        self.write(Did::Published(message));
        Ok(())
    }

    async fn flush(&self) -> Result<()> {
        if let Some(flush) = self.flush {
            flush().await?;
        }
        self.write(Did::Flushed);
        Ok(())
    }
}

impl Backlog for Script {
    fn outstanding(&self) -> BoxFuture<'_, Result<Outstanding>> {
        Box::pin(std::future::ready(Ok(Outstanding::Unsettled(0))))
    }

    fn confirm(&self) -> BoxFuture<'_, Result<()>> {
        self.write(Did::Confirmed);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What comes, and who has to confirm settlements.
pub(crate) struct Deliveries(UnboundedReceiver<Item>, Option<Script>);

impl futures_core::Stream for Deliveries {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        self.0.poll_recv(cx)
    }
}

/// Writes the settlement down.
pub(crate) struct Record {
    number: u64,
    script: Script,
}

impl Record {
    fn settled(self, outcome: Outcome) -> impl Future<Output = Result<()>> + Send {
        self.script.write(Did::Settled(self.number, outcome));
        let lost = || Err(Error::new(ErrorKind::Unavailable, "the connection is gone"));
        std::future::ready(if self.script.loses { lost() } else { Ok(()) })
    }
}

impl Acker for Record {
    fn ack(self) -> impl Future<Output = Result<()>> + Send {
        self.settled(Outcome::Ack)
    }

    fn nak(self, delay: Option<Duration>) -> impl Future<Output = Result<()>> + Send {
        self.settled(delay.map_or(Outcome::Nak, Outcome::NakAfter))
    }

    fn term(self, reason: &str) -> impl Future<Output = Result<()>> + Send {
        self.settled(Outcome::term(reason.to_owned()))
    }

    fn progress(&self) -> impl Future<Output = Result<()>> + Send {
        self.script.write(Did::Progress(self.number));
        std::future::ready(Ok(()))
    }
}

pub(crate) fn ack(number: u64) -> Did {
    Did::Settled(number, Outcome::Ack)
}

pub(crate) fn subject(text: &str) -> Subject {
    Subject::new(text).unwrap()
}

/// Lets everything that can run now run.
pub(crate) async fn idle() {
    for _ in 0..50 {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
