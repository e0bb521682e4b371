//! A byte transport as a stranger would write it: subscriptions are channels, settlements are written down.

use std::collections::VecDeque;
use std::future::ready;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use flux_core::{
    Acker, Backlog, Batch, BoxFuture, Bytes, Consumer, Delivery, Error, ErrorKind, Message, Metadata, Outstanding,
    Publisher, QueueSubscriber, RemoteError, Reply, Requester, Responder, Result, SubjectFilter, Subscriber,
};
use futures_util::Stream;
use tokio::sync::{mpsc, oneshot};

type Answer = Result<Message<Bytes>, RemoteError>;

/// A request and the way back.
type Asked = (Message<Bytes>, Answerer);

/// What was done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    Ack,
    Nak(Option<Duration>),
    Progress,
    Term(String),
}

/// Every clone is the same transport.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    sent: Vec<Message<Bytes>>,
    stored: VecDeque<Message<Bytes>>,
    subscriptions: Vec<Subscription>,
    groups: Vec<String>,
    responder: Option<(SubjectFilter, mpsc::Sender<Asked>)>,
    done: Vec<Done>,
    flushes: usize,
}

#[derive(Debug)]
struct Subscription {
    filter: SubjectFilter,
    queue: mpsc::Sender<Message<Bytes>>,
    accepted: Arc<Accepted>,
}

/// How many messages a subscription has taken.
#[derive(Debug, Default)]
struct Accepted(AtomicU64);

impl Backlog for Accepted {
    fn outstanding(&self) -> BoxFuture<'_, Result<Outstanding>> {
        Box::pin(ready(Ok(Outstanding::Accepted(self.0.load(Ordering::Relaxed)))))
    }
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that was sent or asked, as it went out.
    pub(crate) fn sent(&self) -> Vec<Message<Bytes>> {
        self.state().sent.clone()
    }

    /// The one message that went out.
    pub(crate) fn only(&self) -> Message<Bytes> {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "one message was sent");
        sent.remove(0)
    }

    pub(crate) fn done(&self) -> Vec<Done> {
        self.state().done.clone()
    }

    /// The queue groups that were joined, in order.
    pub(crate) fn groups(&self) -> Vec<String> {
        self.state().groups.clone()
    }

    pub(crate) fn flushes(&self) -> usize {
        self.state().flushes
    }

    pub(crate) fn settler(&self) -> Settler {
        Settler(self.clone())
    }
}

/// The place in the order of all that was sent, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) usize);

impl Publisher<Bytes> for Wire {
    type Receipt = Place;

    async fn send(&self, message: Message<Bytes>) -> Result<Place> {
        let mut state = self.state();
        state.sent.push(message.clone());
        state.stored.push_back(message.clone());
        state.subscriptions.retain(|subscription| !subscription.queue.is_closed());
        for subscription in state.subscriptions.iter().filter(|it| it.filter.matches(&message.subject)) {
            subscription.queue.try_send(message.clone()).map_err(|_| Error::new(ErrorKind::Full, ""))?;
            subscription.accepted.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Place(state.sent.len()))
    }

    async fn flush(&self) -> Result<()> {
        self.state().flushes += 1;
        Ok(())
    }
}

impl Subscriber<Bytes> for Wire {
    type Acker = Settler;
    type Deliveries = Deliveries;

    async fn subscribe(&self, filter: &str) -> Result<Deliveries> {
        let (queue, receiver) = mpsc::channel(16);
        let accepted = Arc::default();
        let deliveries = Deliveries { receiver, accepted: Arc::clone(&accepted), wire: self.clone() };
        self.state().subscriptions.push(Subscription { filter: filter.try_into()?, queue, accepted });
        Ok(deliveries)
    }

    fn backlog(deliveries: &Deliveries) -> Option<Arc<dyn Backlog>> {
        Some(Arc::clone(&deliveries.accepted) as _)
    }
}

/// Every group has one member.
impl QueueSubscriber<Bytes> for Wire {
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<Deliveries> {
        if group.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "the queue group has no name"));
        }
        self.state().groups.push(group.to_owned());
        self.subscribe(filter).await
    }
}

impl Consumer<Bytes> for Wire {
    type Acker = Settler;

    async fn fetch(&self, max: usize, _wait: Duration) -> Result<Batch<Bytes, Settler>> {
        let mut state = self.state();
        let end = max.min(state.stored.len());
        let batch = state.stored.drain(..end).map(|message| Ok(delivery(message, self.settler())));
        Ok(batch.collect())
    }
}

impl Requester<Bytes, Bytes> for Wire {
    async fn ask(&self, request: Message<Bytes>) -> Result<Message<Bytes>> {
        let (answerer, answer) = oneshot::channel();
        {
            let mut state = self.state();
            state.sent.push(request.clone());
            let responder = state.responder.as_ref().filter(|(filter, _)| filter.matches(&request.subject));
            let (_, responder) = responder.ok_or_else(|| Error::new(ErrorKind::NoResponder, ""))?;
            let queued = responder.try_send((request, Answerer(answerer)));
            queued.map_err(|_| Error::new(ErrorKind::NoResponder, "the responder has gone"))?;
        }
        Ok(answer.await.map_err(|_| Error::new(ErrorKind::NoResponder, "nobody will answer"))??)
    }
}

impl Responder<Bytes, Bytes> for Wire {
    type Reply = Answerer;
    type Requests = Requests;

    async fn listen(&self, filter: &str) -> Result<Requests> {
        let (sender, receiver) = mpsc::channel(16);
        self.state().responder = Some((filter.try_into()?, sender));
        Ok(Requests(receiver))
    }

    async fn flush_replies(&self) -> Result<()> {
        self.state().flushes += 1;
        Ok(())
    }
}

fn delivery<A>(message: Message<Bytes>, acker: A) -> Delivery<Bytes, A> {
    Delivery::new(message, Metadata::default(), acker)
}

#[derive(Debug)]
pub(crate) struct Deliveries {
    receiver: mpsc::Receiver<Message<Bytes>>,
    accepted: Arc<Accepted>,
    wire: Wire,
}

impl Stream for Deliveries {
    type Item = Result<Delivery<Bytes, Settler>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.receiver.poll_recv(cx);
        next.map(|item| item.map(|message| Ok(delivery(message, self.wire.settler()))))
    }
}

#[derive(Debug)]
pub(crate) struct Requests(mpsc::Receiver<Asked>);

impl Stream for Requests {
    type Item = Result<Delivery<Bytes, Answerer>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|item| item.map(|(request, answerer)| Ok(delivery(request, answerer))))
    }
}

#[derive(Debug)]
pub(crate) struct Answerer(oneshot::Sender<Answer>);

impl Reply<Bytes> for Answerer {
    async fn reply(self, answer: Answer) -> Result<()> {
        self.0.send(answer).map_err(|_| Error::new(ErrorKind::Closed, "the requester has gone"))
    }
}

/// Writes the settlement down.
#[derive(Debug)]
pub(crate) struct Settler(Wire);

impl Settler {
    fn write(&self, done: Done) {
        self.0.state().done.push(done);
    }
}

impl Acker for Settler {
    async fn ack(self) -> Result<()> {
        self.write(Done::Ack);
        Ok(())
    }

    async fn nak(self, delay: Option<Duration>) -> Result<()> {
        self.write(Done::Nak(delay));
        Ok(())
    }

    async fn term(self, reason: &str) -> Result<()> {
        self.write(Done::Term(reason.to_owned()));
        Ok(())
    }

    async fn progress(&self) -> Result<()> {
        self.write(Done::Progress);
        Ok(())
    }
}
