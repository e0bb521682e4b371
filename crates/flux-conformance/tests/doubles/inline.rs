//! A bus that calls the responder where a request arrives, right or wrong in one way.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flux_conformance::{Capabilities, Fixture};
use flux_core::{
    BoxFuture, Delivery, Error, ErrorKind, Message, Metadata, NoAck, OnArrival, Publisher, Registration, RemoteError,
    Reply, Requester, Responder, Result, Subscriber,
};
use flux_mem::Mem;
use futures_core::Stream;
use tokio::sync::{Semaphore, oneshot};

type Answer = Result<Message<Bytes>, RemoteError>;
type Requests = Pin<Box<dyn Stream<Item = Result<Delivery<Bytes, Back>>> + Send>>;

/// Who is called, and how many more times right now.
type Called = (OnArrival<Bytes, Back>, Arc<Semaphore>);

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    None,
    /// Calls the responder as often as there are requests.
    CallsAllAtOnce,
    /// Drops the call with the request.
    CutsShort,
}

#[derive(Clone)]
pub(crate) struct Hasty<const HASTE: usize> {
    messages: Mem,
    responder: Arc<Mutex<Option<Called>>>,
}

/// The way back to the requester.
pub(crate) struct Back(oneshot::Sender<Answer>);

impl Reply<Bytes> for Back {
    async fn reply(self, answer: Answer) -> Result<()> {
        self.0.send(answer).map_err(|_| Error::new(ErrorKind::Closed, "the requester is gone"))
    }
}

impl<const HASTE: usize> Requester<Bytes, Bytes> for Hasty<HASTE> {
    async fn ask(&self, request: Message<Bytes>) -> Result<Message<Bytes>> {
        let responder = self.responder.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (on_arrival, places) = responder.ok_or_else(|| Error::new(ErrorKind::NoResponder, "nobody"))?;
        let (back, answer) = oneshot::channel();
        let call: BoxFuture<'static, ()> = Box::pin(async move {
            let _place = match Self::haste() {
                Haste::CallsAllAtOnce => None,
                _ => places.acquire().await.ok(),
            };
            on_arrival(Ok(Delivery::new(request, Metadata::default(), Back(back)))).await;
        });
        match Self::haste() {
            Haste::CutsShort => call.await,
            _ => drop(tokio::spawn(call)),
        }
        let answer = answer.await.map_err(|_| Error::new(ErrorKind::NoResponder, "nobody"))?;
        answer.map_err(Error::from)
    }
}

impl<const HASTE: usize> Responder<Bytes, Bytes> for Hasty<HASTE> {
    type Reply = Back;
    type Requests = Requests;

    async fn listen(&self, _filter: &str) -> Result<Requests> {
        Err(Error::new(ErrorKind::Unsupported, "this one calls"))
    }

    async fn listen_inline(
        &self,
        _filter: &str,
        concurrency: usize,
        on_arrival: OnArrival<Bytes, Back>,
    ) -> Result<Option<Registration>> {
        let responder = (on_arrival, Arc::new(Semaphore::new(concurrency)));
        *self.responder.lock().unwrap_or_else(PoisonError::into_inner) = Some(responder);
        let mine = Arc::clone(&self.responder);
        let withdraw = move || *mine.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(Some(Registration::new(withdraw, std::future::pending())))
    }
}

impl<const HASTE: usize> Publisher<Bytes> for Hasty<HASTE> {
    type Receipt = ();

    async fn send(&self, message: Message<Bytes>) -> Result<()> {
        self.messages.send(message).await.map(drop)
    }
}

impl<const HASTE: usize> Subscriber<Bytes> for Hasty<HASTE> {
    type Acker = NoAck;
    type Deliveries = <Mem as Subscriber<Bytes>>::Deliveries;

    async fn subscribe(&self, filter: &str) -> Result<Self::Deliveries> {
        self.messages.subscribe(filter).await
    }
}

impl<const HASTE: usize> Hasty<HASTE> {
    fn haste() -> Haste {
        let all = [Haste::None, Haste::CallsAllAtOnce, Haste::CutsShort];
        all.get(HASTE).copied().expect("there is one of that number")
    }
}

/// A bus with the haste of this number.
pub(crate) struct Inline<const HASTE: usize>;

impl<const HASTE: usize> Fixture for Inline<HASTE> {
    type Payload = Bytes;
    type Bus = Hasty<HASTE>;
    const NAME: &'static str = "double that calls";
    const PAUSED: bool = true;

    fn capabilities() -> Capabilities {
        Capabilities::new("it is handed over", "per publisher").with_requests()
    }

    async fn open() -> Result<Hasty<HASTE>> {
        Ok(Hasty { messages: Mem::new(), responder: Arc::default() })
    }

    fn payload(number: u64) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    fn number(payload: &Bytes) -> u64 {
        u64::from_be_bytes(payload.as_ref().try_into().expect("a number was published"))
    }
}
