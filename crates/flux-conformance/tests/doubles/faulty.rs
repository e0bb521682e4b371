//! A stream in memory that is wrong in one way.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flux_core::{
    Acker, Batch, Consumer, Delivery, Error, ErrorKind, Headers, Message, Publisher, QueueSubscriber, Result,
    Subscriber, next,
};
use flux_mem::{ConsumerConfig, MemAcker, MemConsumer, MemStream, StreamDeliveries};
use futures_core::Stream;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    DropsAHeader,
    Reorders,
    LosesOnNak,
    AcksAtDelivery,
    IgnoresTheDelay,
    LosesToOneWhoLeft,
    BlocksThePublisher,
    StaysInTheGroup,
    FetchesNothing,
    FetchesAtOnce,
    FailsToFetchNothing,
}

impl Fault {
    /// The fault of this number.
    pub(crate) fn number(number: usize) -> Self {
        Self::ALL.get(number).copied().expect("there is a fault of that number")
    }

    const ALL: [Self; 12] = [
        Self::None,
        Self::DropsAHeader,
        Self::Reorders,
        Self::LosesOnNak,
        Self::AcksAtDelivery,
        Self::IgnoresTheDelay,
        Self::LosesToOneWhoLeft,
        Self::BlocksThePublisher,
        Self::StaysInTheGroup,
        Self::FetchesNothing,
        Self::FetchesAtOnce,
        Self::FailsToFetchNothing,
    ];
}

#[derive(Clone)]
pub(crate) struct Faulty {
    stream: MemStream,
    fault: Fault,
    sent: Arc<AtomicU64>,
    held: Arc<Mutex<Option<Message<Bytes>>>>,
    /// Subscriptions that were dropped.
    left: Arc<AtomicU64>,
}

impl Faulty {
    pub(crate) fn new(stream: MemStream, fault: Fault) -> Self {
        Self { stream, fault, sent: Arc::default(), held: Arc::default(), left: Arc::default() }
    }

    fn deliveries(&self, stream: StreamDeliveries, in_group: bool) -> Deliveries {
        let (fault, left) = (self.fault, Arc::clone(&self.left));
        Deliveries { stream: Some(Box::pin(stream)), in_group, fault, left, early: Vec::new() }
    }

    /// A consumer of what `filter` matches.
    pub(crate) fn consumer(&self, filter: &str) -> Result<FaultyConsumer> {
        let inner = self.stream.consumer(ConsumerConfig::durable("puller").with_filter(filter))?;
        Ok(FaultyConsumer { inner, fault: self.fault })
    }
}

impl Publisher<Bytes> for Faulty {
    type Receipt = ();

    async fn send(&self, mut message: Message<Bytes>) -> Result<()> {
        let sent = self.sent.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::DropsAHeader if !message.headers.is_empty() => {
                let mut kept = Headers::new();
                for (name, value) in message.headers.iter().skip(1) {
                    kept.append(name, value)?;
                }
                message.headers = kept;
            }
            Fault::Reorders if sent % 10 == 3 => {
                *self.held.lock().expect("no panic") = Some(message);
                return Ok(());
            }
            Fault::BlocksThePublisher if sent == 100 => pending().await,
            // As if every second message were for the one who left, and for nobody else.
            Fault::LosesToOneWhoLeft if self.left.load(Ordering::SeqCst) > 0 && sent % 2 == 1 => return Ok(()),
            _ => {}
        }
        self.stream.send(message).await?;
        let held = self.held.lock().expect("no panic").take();
        match held {
            Some(held) => self.stream.send(held).await.map(drop),
            None => Ok(()),
        }
    }
}

impl Subscriber<Bytes> for Faulty {
    type Acker = FaultyAcker;
    type Deliveries = Deliveries;

    async fn subscribe(&self, filter: &str) -> Result<Deliveries> {
        Ok(self.deliveries(self.stream.subscribe(filter).await?, false))
    }
}

impl QueueSubscriber<Bytes> for Faulty {
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<Deliveries> {
        Ok(self.deliveries(self.stream.subscribe_group(filter, group).await?, true))
    }
}

pub(crate) struct Deliveries {
    /// There until the subscription is dropped.
    stream: Option<Pin<Box<StreamDeliveries>>>,
    in_group: bool,
    fault: Fault,
    left: Arc<AtomicU64>,
    /// Acks that are on their way before any handler has returned.
    early: Vec<Pin<Box<dyn Future<Output = Result<()>> + Send>>>,
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.left.fetch_add(1, Ordering::SeqCst);
        let Some(mut stream) = self.stream.take().filter(|_| self.in_group) else { return };
        if self.fault == Fault::StaysInTheGroup {
            // It goes on as a member, and acks what nobody sees any more.
            tokio::spawn(async move {
                while let Some(Ok(delivery)) = next(stream.as_mut()).await {
                    drop(delivery.ack().await);
                }
            });
        }
    }
}

impl Stream for Deliveries {
    type Item = Result<Delivery<Bytes, FaultyAcker>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Poll::Ready(None) };
        let Poll::Ready(next) = stream.as_mut().poll_next(cx) else { return Poll::Pending };
        let Some(delivery) = next.transpose()? else { return Poll::Ready(None) };
        let fault = this.fault;
        if fault == Fault::AcksAtDelivery {
            let Delivery { message, metadata, acker, .. } = delivery;
            this.early.push(Box::pin(acker.ack()));
            this.early.retain_mut(|ack| ack.as_mut().poll(cx).is_pending());
            let acker = FaultyAcker { inner: None, fault };
            return Poll::Ready(Some(Ok(Delivery::new(message, metadata, acker))));
        }
        Poll::Ready(Some(Ok(delivery.map_acker(|inner| FaultyAcker { inner: Some(inner), fault }))))
    }
}

pub(crate) struct FaultyConsumer {
    inner: MemConsumer,
    fault: Fault,
}

impl Consumer<Bytes> for FaultyConsumer {
    type Acker = FaultyAcker;

    async fn fetch(&self, max: usize, wait: Duration) -> Result<Batch<Bytes, FaultyAcker>> {
        let fault = self.fault;
        let wait = if fault == Fault::FetchesAtOnce { Duration::ZERO } else { wait };
        let mut batch = Vec::new();
        for delivery in self.inner.fetch(max, wait).await? {
            let delivery = delivery?;
            if fault == Fault::AcksAtDelivery {
                let Delivery { message, metadata, acker, .. } = delivery;
                acker.ack().await?;
                batch.push(Ok(Delivery::new(message, metadata, FaultyAcker { inner: None, fault })));
            } else {
                batch.push(Ok(delivery.map_acker(|inner| FaultyAcker { inner: Some(inner), fault })));
            }
        }
        match fault {
            Fault::FetchesNothing => Ok(Batch::default()),
            Fault::FailsToFetchNothing if batch.is_empty() => Err(Error::new(ErrorKind::TimedOut, "nothing came")),
            _ => Ok(batch),
        }
    }
}

pub(crate) struct FaultyAcker {
    inner: Option<MemAcker>,
    fault: Fault,
}

impl Acker for FaultyAcker {
    async fn ack(self) -> Result<()> {
        match self.inner {
            Some(inner) => inner.ack().await,
            None => Ok(()),
        }
    }

    async fn nak(self, delay: Option<Duration>) -> Result<()> {
        match (self.inner, self.fault) {
            (Some(inner), Fault::LosesOnNak) => inner.ack().await,
            (Some(inner), Fault::IgnoresTheDelay) => inner.nak(None).await,
            (Some(inner), _) => inner.nak(delay).await,
            (None, _) => Ok(()),
        }
    }

    async fn term(self, reason: &str) -> Result<()> {
        match self.inner {
            Some(inner) => inner.term(reason).await,
            None => Ok(()),
        }
    }

    async fn progress(&self) -> Result<()> {
        match &self.inner {
            Some(inner) => inner.progress().await,
            None => Ok(()),
        }
    }
}
