//! The deliveries of one subscription: asked for as handlers have room, rebuilt when something breaks.

mod rebuild;

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Backlog, BoxFuture, Delivery, Error, ErrorKind, Result};
use flux_nats::wire::Subjects;
use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep};

use crate::JsConsumer;
use crate::acker::{JsAcker, Ledger};
use crate::backlog::ConsumerBacklog;
use crate::event::Event;
use crate::inbox::{Arrival, Inbox};
use crate::keeper::{give_back, keep_alive, lock};
use crate::pace::Pace;
use crate::wire::{self, Ask, Place, Status};

/// How often a subscription at rest looks whether the connection is still the same.
const TICK: Duration = Duration::from_secs(1);
/// How long a request for one message stays open, and how often the server shows that it does.
const EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A request for many is not to outlive the speed that justified it.
const EXPIRES_MANY: Duration = Duration::from_secs(1);
/// Ticks without any sign of the server after which a subscription counts as lost: two heartbeats.
const SILENT_TICKS: u32 = 10;

/// An inbox and what is known about its deliveries.
pub(crate) struct Session {
    consumer: JsConsumer,
    pub(crate) inbox: Arc<Mutex<Inbox>>,
    ledger: Arc<Ledger>,
    subjects: Subjects,
    settles: bool,
    max_deliver: Option<u64>,
}

impl Session {
    pub(crate) async fn open(consumer: &JsConsumer) -> Result<Self> {
        let inbox = Inbox::open(consumer.jetstream(), consumer.stream().name(), &consumer.name()).await?;
        let config = consumer.config();
        Ok(Self {
            inbox: Arc::new(Mutex::new(inbox)),
            ledger: Arc::new(Ledger::new(consumer.jetstream().clone(), config.acks, consumer.floor())),
            subjects: Subjects::new(),
            settles: config.least_wait().is_some(),
            max_deliver: config.max_deliver(),
            consumer: consumer.clone(),
        })
    }

    /// A message as a delivery. One that flux would not take as a message is an error that leaves it unsettled.
    pub(crate) fn delivery(&mut self, native: async_nats::Message) -> Result<Delivery<Bytes, JsAcker>> {
        let reply = native.reply.clone().unwrap_or_else(|| async_nats::Subject::from_static(""));
        let Some(place) = Place::read(&reply) else {
            return Err(Error::new(ErrorKind::Other, "a message came that is not from a stream"));
        };
        if self.settles {
            self.ledger.delivered(&place);
        } else {
            self.ledger.passed(&place);
        }
        let message = wire::message(&mut self.subjects, native)?;
        let mut metadata = place.metadata(self.consumer.stream().shared_name());
        if self.settles {
            metadata.ack_wait = Some(self.consumer.config().wait(place.delivered));
            metadata.max_deliver = self.max_deliver;
        }
        let acker = JsAcker {
            ledger: Arc::clone(&self.ledger),
            reply,
            sequence: place.sequence,
            taken: Instant::now(),
            last: self.max_deliver.is_some_and(|max| place.delivered >= max),
        };
        Ok(Delivery::new(message, metadata, acker))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        give_back(Arc::clone(&self.inbox), Arc::clone(&self.ledger));
    }
}

/// The deliveries of one subscription to a consumer.
///
/// Takes messages only when it is polled, and no more ahead than the handlers finish soon; see
/// [`ConsumerConfig::with_max_prefetch`](crate::ConsumerConfig::with_max_prefetch). What waits here is kept alive. When the consumer is deleted,
/// its leader lost or the server restarted, the subscription rebuilds itself and goes on at the oldest message it has not
/// seen settled; [`JetStream::events`](crate::JetStream::events) tells. What other members of a group have settled only the server knows:
/// when their consumer is deleted, what they settled in the last half minute comes again, and nothing is left out. It ends with an error when the stream is gone, and without one when
/// the connection was closed. Dropping it settles nothing and gives back what was taken ahead.
pub struct JsDeliveries {
    session: Session,
    pace: Pace,
    tick: Pin<Box<Sleep>>,
    silent: u32,
    connects: u64,
    rebuilding: Option<BoxFuture<'static, Result<rebuild::Rebuilt>>>,
    /// The number of the next delivery, when nothing is settled: what is lost then shows by a gap.
    expected: Option<u64>,
    ended: bool,
}

impl JsDeliveries {
    pub(crate) async fn open(consumer: JsConsumer) -> Result<Self> {
        let session = Session::open(&consumer).await?;
        let config = consumer.config();
        let wait = config.least_wait();
        // A delivery that is given back counts; where there is but one, none may be taken ahead.
        let most = if config.max_deliver() == Some(1) && wait.is_some() { 1 } else { config.max_prefetch };
        if let Some(wait) = wait {
            keep_alive(Arc::downgrade(&session.inbox), Arc::clone(&session.ledger), consumer.downgrade(), wait);
        }
        Ok(Self {
            pace: Pace::new(wait, most, Instant::now()),
            tick: Box::pin(sleep(TICK)),
            silent: 0,
            connects: connects(&consumer),
            rebuilding: None,
            expected: wait.is_none().then_some(1),
            ended: false,
            session,
        })
    }

    /// `None` where nothing is settled, because the server cannot know what was handled.
    pub(crate) fn backlog(&self) -> Option<Arc<dyn Backlog>> {
        let consumer = &self.session.consumer;
        consumer.config().least_wait()?;
        Some(Arc::new(ConsumerBacklog::new(consumer, &self.session.ledger)))
    }

    fn poll_delivery(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Delivery<Bytes, JsAcker>>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            if let Some(rebuilding) = &mut self.rebuilding {
                let rebuilt = ready!(rebuilding.as_mut().poll(cx));
                self.rebuilding = None;
                if let Err(error) = self.go_on(rebuilt) {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
            let inbox = Arc::clone(&self.session.inbox);
            let mut inbox = lock(&inbox);
            inbox.parked = None;
            match inbox.poll_arrival(cx) {
                Poll::Ready(Arrival::Message(native)) if !self.follows(&native) => {
                    self.lost("messages were lost on the way".to_owned());
                }
                Poll::Ready(Arrival::Message(native)) => {
                    self.pace.weigh(native.payload.len());
                    self.refill(&mut inbox, cx);
                    drop(inbox);
                    return Poll::Ready(Some(self.session.delivery(native)));
                }
                Poll::Ready(Arrival::Status(Status::Lost { reason })) => self.lost(reason),
                Poll::Ready(Arrival::Status(_)) => {}
                Poll::Ready(Arrival::End) => self.ended = true,
                Poll::Pending => ready!(self.poll_rest(&mut inbox, cx)),
            }
        }
    }

    /// Whether nothing is missing before this message.
    fn follows(&mut self, native: &async_nats::Message) -> bool {
        let Some(expected) = &mut self.expected else { return true };
        let place = native.reply.as_deref().and_then(Place::read);
        let follows = place.is_none_or(|place| place.consumer_sequence == *expected);
        *expected += 1;
        follows
    }

    /// Asks for more before all has been handed over, so that fast handlers need not wait. What cannot be asked for now is
    /// asked for when nothing is left.
    fn refill(&mut self, inbox: &mut Inbox, cx: &mut Context<'_>) {
        if inbox.ahead() > self.pace.most() / 2 {
            return;
        }
        let target = self.pace.target(self.session.ledger.settled(), Instant::now());
        if inbox.ahead() < target / 2 {
            let _ = self.poll_ask(inbox, target - inbox.ahead(), cx);
        }
    }

    fn poll_ask(&mut self, inbox: &mut Inbox, batch: usize, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let group = self.session.consumer.config().group.as_ref();
        let (expires, heartbeat) = if batch == 1 { (EXPIRES, HEARTBEAT) } else { (EXPIRES_MANY, Duration::ZERO) };
        inbox.poll_ask(cx, &Ask { batch, expires, heartbeat, group, pin: None })
    }

    /// Nothing is there. Makes sure that something is asked for, and waits; ready when there is something to look at.
    fn poll_rest(&mut self, inbox: &mut Inbox, cx: &mut Context<'_>) -> Poll<()> {
        if inbox.ahead() == 0 {
            // Nothing is on its way that another connection could have brought.
            self.connects = connects(&self.session.consumer);
            let target = self.pace.target(self.session.ledger.settled(), Instant::now());
            match self.poll_ask(inbox, target, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => {
                    self.ended = true;
                    return Poll::Ready(());
                }
                Poll::Ready(Ok(())) => {}
            }
        }
        inbox.parked = Some(cx.waker().clone());
        while self.tick.as_mut().poll(cx).is_ready() {
            self.tick.as_mut().reset(Instant::now() + TICK);
            let connects = connects(&self.session.consumer);
            self.silent = if std::mem::take(&mut inbox.seen) { 0 } else { self.silent + 1 };
            if self.connects != connects {
                // The server has forgotten the requests of the connection before, and perhaps the consumer.
                self.lost("the connection was lost, and what was asked for with it".to_owned());
                return Poll::Ready(());
            }
            if self.silent >= SILENT_TICKS {
                self.lost("the server is silent; its heartbeats are missing".to_owned());
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    fn lost(&mut self, reason: String) {
        if self.rebuilding.is_some() {
            return;
        }
        let consumer = &self.session.consumer;
        consumer.jetstream().emit(Event::Lost {
            stream: Arc::clone(consumer.stream().shared_name()),
            consumer: consumer.name(),
            reason,
        });
        self.silent = 0;
        self.rebuilding =
            Some(Box::pin(rebuild::rebuild(consumer.clone(), self.session.ledger.floor(), self.expected.is_some())));
    }

    fn go_on(&mut self, rebuilt: Result<rebuild::Rebuilt>) -> Result<()> {
        let rebuild::Rebuilt { inbox, recreated } = rebuilt?;
        let consumer = &self.session.consumer;
        self.connects = connects(consumer);
        if recreated {
            // What still waits belongs to the consumer that is gone; its successor delivers it again.
            self.session.ledger.forget();
            self.expected = self.expected.map(|_| 1);
            *lock(&self.session.inbox) = inbox;
        } else {
            lock(&self.session.inbox).forget_requests();
        }
        consumer.jetstream().emit(Event::Rebuilt {
            stream: Arc::clone(consumer.stream().shared_name()),
            consumer: consumer.name(),
            recreated,
        });
        Ok(())
    }
}

/// How often the client has connected.
fn connects(consumer: &JsConsumer) -> u64 {
    consumer.jetstream().client().statistics().connects.load(Ordering::Relaxed)
}

impl Stream for JsDeliveries {
    type Item = Result<Delivery<Bytes, JsAcker>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_delivery(cx)
    }
}

impl fmt::Debug for JsDeliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsDeliveries").field("consumer", &self.session.consumer).finish_non_exhaustive()
    }
}
