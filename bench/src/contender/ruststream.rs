//! `RustStream`: a service on its memory broker, published to through its own builder.

use std::convert::Infallible;
use std::fmt;
use std::hint::black_box;
use std::marker::PhantomData;

use ruststream::OutgoingMessage;
use ruststream::memory::MemoryPublisher;
use ruststream::memory::prelude::*;
use ruststream::runtime::{BrokerScope, Identity};
use tokio::runtime::Runtime;

use crate::Result;
use crate::contender::service::Service;
use crate::countdown::Countdown;
use crate::payload::{Order, Payload, Reading, Sample};

pub mod bytes;

/// The name everything is published to and read from.
const SUBJECT: &str = "orders";

/// One publisher, one handler, `T` as JSON; its runtime acks each delivery.
pub struct RustStreamJson<T> {
    publisher: MemoryPublisher,
    encoded: Vec<u8>,
    countdown: Countdown,
    payload: PhantomData<fn() -> T>,
}

impl<T: Sendable> Service for RustStreamJson<T> {
    fn start(runtime: &Runtime) -> Result<Self> {
        let countdown = Countdown::default();
        let broker = start(runtime, countdown.clone(), |scope| {
            scope.include(subscriber(SUBJECT, Count::<T>(PhantomData)).build());
        })?;
        Ok(Self {
            publisher: broker.publisher(),
            encoded: serde_json::to_vec(&T::nth(0))?,
            countdown,
            payload: PhantomData,
        })
    }

    fn countdown(&self) -> &Countdown {
        &self.countdown
    }

    async fn publish(&self, messages: u64) -> Result {
        for n in 0..messages {
            let value = T::nth(n);
            self.publisher.message(&value).to(SUBJECT).publish().await?;
        }
        Ok(())
    }

    async fn publish_encoded(&self, messages: u64) -> Result {
        for _ in 0..messages {
            let message = OutgoingMessage::new(SUBJECT, &self.encoded);
            Publisher::publish(&self.publisher, message, None).await?;
        }
        Ok(())
    }
}

/// A service with one handler, running on `runtime`.
fn start(
    runtime: &Runtime,
    countdown: Countdown,
    mount: impl FnOnce(&mut BrokerScope<MemoryBroker, Identity, (), Countdown>),
) -> Result<MemoryBroker> {
    let broker = MemoryBroker::new();
    let app = RustStream::new(AppInfo::new("bench", "0.0.0"))
        .on_startup(async move |()| Ok::<_, Infallible>(countdown))
        .with_broker(broker.clone(), mount);
    // Dropping the handle of a running app detaches it; it stops with the runtime.
    drop(runtime.block_on(app.start())?);
    Ok(broker)
}

/// The handler: looks at the value and reports it.
pub(crate) struct Count<T>(pub(crate) PhantomData<fn() -> T>);

impl<T: Payload> Handle<T, (), (), (), Countdown> for Count<T> {
    async fn handle(
        &self,
        value: &T,
        _outs: &(),
        ctx: &mut Context<'_, (), Countdown>,
    ) -> std::result::Result<(), HandlerOutcome> {
        black_box(value);
        ctx.state().arrived();
        Ok(())
    }
}

/// What `RustStream` asks of a type that its builder sends as JSON.
pub trait Sendable: Payload + OutgoingDestination<Form = CallerName> + MessageHeaders<Contract = NoHeaders> {}

impl<T> Sendable for T where T: Payload + OutgoingDestination<Form = CallerName> + MessageHeaders<Contract = NoHeaders> {}

/// Declares that the caller names the subject of these types and that they have no headers.
macro_rules! outgoing {
    ($($payload:ty),*) => { $(
        impl OutgoingDestination for $payload {
            type Form = CallerName;
        }

        impl MessageHeaders for $payload {
            type Contract = NoHeaders;
        }
    )* };
}

outgoing!(Order, Reading, Sample);

impl<T> fmt::Debug for RustStreamJson<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RustStreamJson").finish_non_exhaustive()
    }
}
