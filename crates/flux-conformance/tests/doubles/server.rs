//! A bus in memory with a server that goes away and comes back, right or wrong in one way.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flux_conformance::{Capabilities, Fixture, Redelivers, Restarts, WhileAway};
use flux_core::{
    BoxFuture, Error, ErrorKind, Message, Publisher, QueueSubscriber, Requester, Responder, Result, Subscriber,
};
use flux_mem::{Mem, MemAcker, MemReply, MemRequests, MemStream, StreamConfig, StreamDeliveries};
use futures_core::Stream;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a publisher waits for the server.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lapse {
    None,
    /// Says that a message is stored while there is nobody to store it.
    StoresInTheAir,
    /// Never gets its connection back.
    StaysAway,
    /// Ends subscriptions with the server.
    EndsSubscriptions,
    /// Keeps subscriptions open, and delivers nothing any more.
    ForgetsSubscriptions,
    /// Comes back without what it had stored.
    ForgetsMessages,
    /// Lets a request wait until the server is back.
    LetsRequestsHang,
    /// Says that nobody is there to answer when it cannot know.
    GuessesThatNobodyAnswers,
    /// Lets the responder go.
    ForgetsResponders,
}

impl Lapse {
    const ALL: [Self; 9] = [
        Self::None,
        Self::StoresInTheAir,
        Self::StaysAway,
        Self::EndsSubscriptions,
        Self::ForgetsSubscriptions,
        Self::ForgetsMessages,
        Self::LetsRequestsHang,
        Self::GuessesThatNobodyAnswers,
        Self::ForgetsResponders,
    ];
}

/// The server and its client in one.
#[derive(Clone)]
pub(crate) struct Served {
    stream: MemStream,
    requests: Mem,
    up: watch::Sender<bool>,
    starts: Arc<AtomicU64>,
    lapse: Lapse,
}

impl Served {
    fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    fn restarted(&self) -> bool {
        self.starts.load(Ordering::SeqCst) > 0
    }

    fn back(&self) -> BoxFuture<'static, ()> {
        let mut up = self.up.subscribe();
        // It cannot fail: the sender lives as long as this bus.
        Box::pin(async move { drop(up.wait_for(|up| *up).await) })
    }

    fn deliveries(&self, stream: StreamDeliveries) -> Deliveries {
        let from_before = !self.restarted();
        Deliveries { stream: Box::pin(stream), bus: self.clone(), from_before, back: Box::pin(ready(())) }
    }
}

fn away() -> Error {
    Error::new(ErrorKind::Unavailable, "the server is away")
}

impl Publisher<Bytes> for Served {
    type Receipt = ();

    async fn send(&self, message: Message<Bytes>) -> Result<()> {
        match self.lapse {
            Lapse::StoresInTheAir if !self.is_up() => return Ok(()),
            Lapse::StaysAway if self.restarted() => return Err(away()),
            _ => timeout(PATIENCE, self.back()).await.map_err(|_| away())?,
        }
        self.stream.send(message).await.map(drop)
    }
}

impl Subscriber<Bytes> for Served {
    type Acker = MemAcker;
    type Deliveries = Deliveries;

    async fn subscribe(&self, filter: &str) -> Result<Deliveries> {
        Ok(self.deliveries(self.stream.subscribe(filter).await?))
    }
}

impl QueueSubscriber<Bytes> for Served {
    async fn subscribe_group(&self, filter: &str, group: &str) -> Result<Deliveries> {
        Ok(self.deliveries(self.stream.subscribe_group(filter, group).await?))
    }
}

impl Requester<Bytes, Bytes> for Served {
    async fn ask(&self, request: Message<Bytes>) -> Result<Message<Bytes>> {
        match self.lapse {
            Lapse::LetsRequestsHang => self.back().await,
            Lapse::GuessesThatNobodyAnswers if !self.is_up() => {
                return Err(Error::new(ErrorKind::NoResponder, "nobody"));
            }
            Lapse::ForgetsResponders if self.restarted() => return Err(Error::new(ErrorKind::NoResponder, "nobody")),
            _ if !self.is_up() => return Err(away()),
            _ => {}
        }
        self.requests.ask(request).await
    }
}

impl Responder<Bytes, Bytes> for Served {
    type Reply = MemReply<Bytes>;
    type Requests = MemRequests<Bytes, Bytes>;

    async fn listen(&self, filter: &str) -> Result<Self::Requests> {
        self.requests.listen(filter).await
    }
}

pub(crate) struct Deliveries {
    stream: Pin<Box<StreamDeliveries>>,
    bus: Served,
    from_before: bool,
    back: BoxFuture<'static, ()>,
}

impl Stream for Deliveries {
    type Item = <StreamDeliveries as Stream>::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if !this.bus.is_up() {
            this.back = this.bus.back();
            if this.back.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        match this.bus.lapse {
            Lapse::EndsSubscriptions if this.from_before && this.bus.restarted() => Poll::Ready(None),
            Lapse::ForgetsSubscriptions if this.from_before && this.bus.restarted() => Poll::Pending,
            _ => this.stream.as_mut().poll_next(cx),
        }
    }
}

/// A bus with the lapse of this number.
pub(crate) struct Server<const LAPSE: usize>;

impl<const LAPSE: usize> Fixture for Server<LAPSE> {
    type Payload = Bytes;
    type Bus = Served;
    const NAME: &'static str = "double with a server";
    const PAUSED: bool = true;

    fn capabilities() -> Capabilities {
        Capabilities::new("the stream holds it", "per stream").with_redelivery().with_groups().with_requests()
    }

    async fn open() -> Result<Served> {
        let lapse = Lapse::ALL.get(LAPSE).copied().expect("there is a lapse of that number");
        let stream = Mem::stream(StreamConfig::new("conformance", ["conformance.>"]))?;
        Ok(Served { stream, requests: Mem::new(), up: watch::Sender::new(true), starts: Arc::default(), lapse })
    }

    fn payload(number: u64) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    fn number(payload: &Bytes) -> u64 {
        u64::from_be_bytes(payload.as_ref().try_into().expect("a number was published"))
    }
}

impl<const LAPSE: usize> Redelivers for Server<LAPSE> {
    fn ack_wait() -> Duration {
        Duration::from_secs(30)
    }
}

impl<const LAPSE: usize> Restarts for Server<LAPSE> {
    type Server = Served;
    const WHILE_AWAY: WhileAway = WhileAway::Waits;

    async fn serve() -> Result<(Served, Served)> {
        let bus = Self::open().await?;
        Ok((bus.clone(), bus))
    }

    async fn stop_server(server: &Served) -> Result<()> {
        server.up.send_replace(false);
        Ok(())
    }

    async fn start_server(server: &Served) -> Result<()> {
        if server.lapse == Lapse::ForgetsMessages {
            server.stream.purge("conformance.>")?;
        }
        server.starts.fetch_add(1, Ordering::SeqCst);
        server.up.send_replace(true);
        Ok(())
    }
}
