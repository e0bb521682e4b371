//! `RustStream` on the same servers: its handlers, and its publisher.

use std::convert::Infallible;
use std::fmt;
use std::hint::black_box;
use std::marker::PhantomData;
use std::time::Duration;

use async_nats::{Request, RequestErrorKind};
use ruststream::runtime::{BrokerScope, Identity};
use ruststream::{Broker as _, OutgoingMessage};
use ruststream_nats::prelude::*;
use ruststream_nats::{JetStreamPublisher, NatsPublisher};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::Result;
use crate::contender::nats::{Ends, Job, STREAM, SUBJECT, Whole, raw};
use crate::contender::ruststream::Count;
use crate::contender::service::Service;
use crate::countdown::Countdown;
use crate::payload::{Payload as _, Reading};

/// Publish, and handle.
pub struct RustStreamPubSub {
    publisher: NatsPublisher,
    countdown: Countdown,
    _ends: Ends,
}

impl Service for RustStreamPubSub {
    fn start(runtime: &Runtime) -> Result<Self> {
        let countdown = Countdown::default();
        runtime.block_on(async {
            let ends = Ends::core().await?;
            let handler = subscriber(SUBJECT, Count::<Reading>(PhantomData)).build();
            start(&ends, countdown.clone(), |scope| {
                scope.include(handler);
            })
            .await?;
            arrives(&ends, &countdown).await?;
            let near = NatsBroker::new(ends.url()).connect().await?;
            Ok(Self { publisher: near.publisher(Publish), countdown, _ends: ends })
        })
    }

    fn countdown(&self) -> &Countdown {
        &self.countdown
    }

    async fn publish(&self, messages: u64) -> Result {
        for n in 0..messages {
            self.publisher.message(&Reading::nth(n)).to(SUBJECT).publish().await?;
        }
        Ok(())
    }
}

/// Returns when the handler is subscribed, on a connection that nobody else can flush: until then the server answers for it.
async fn arrives(ends: &Ends, countdown: &Countdown) -> Result {
    let probe = serde_json::to_vec(&Reading::nth(0))?;
    countdown.expect(1);
    loop {
        let request = Request::new().payload(probe.clone().into()).timeout(Some(Duration::from_millis(10)));
        match ends.near.send_request(SUBJECT, request).await {
            Err(error) if error.kind() == RequestErrorKind::NoResponders => {}
            // The handler answers nothing; it has the one probe that the server had a subscription for.
            _ => break,
        }
    }
    countdown.reached().await;
    Ok(())
}

/// Ask and answer: the answer goes to the inbox that the request names.
pub struct RustStreamRequests {
    publisher: NatsPublisher,
    _ends: Ends,
}

/// A [`Reading`] of which `RustStream` knows that it is answered with.
#[derive(Deserialize, Serialize, Outgoing)]
#[serde(transparent)]
struct Echoed {
    reading: Reading,
}

/// What the handler answers through.
#[derive(OutSlot)]
#[publishes(Echoed)]
struct Answers;

#[subscriber("bench.readings")]
async fn echo(
    echoed: &Echoed,
    ctx: &mut Context<'_, (), Countdown>,
    Out(answers): Out<impl Publisher, Answers>,
) -> HandlerOutcome {
    let Some(inbox) = ctx.headers().reply_to().map(str::to_owned) else { return HandlerOutcome::drop() };
    match answers.message(echoed).to(inbox).publish().await {
        Ok(()) => HandlerOutcome::ack(),
        Err(_) => HandlerOutcome::retry(),
    }
}

impl Job for RustStreamRequests {
    fn start(runtime: &Runtime, _: u64) -> Result<Self> {
        runtime.block_on(async {
            let ends = Ends::core().await?;
            start(&ends, Countdown::default(), |scope| {
                scope.include(echo).out(Answers, Publish).build();
            })
            .await?;
            let near = NatsBroker::new(ends.url()).connect().await?;
            let job = Self { publisher: near.publisher(Publish), _ends: ends };
            // Until the handler is subscribed, a request fails at once.
            while job.once(0).await.is_err() {
                tokio::task::yield_now().await;
            }
            Ok(job)
        })
    }

    async fn once(&self, n: u64) -> Result {
        let payload = serde_json::to_vec(&Reading::nth(n))?;
        let request = OutgoingMessage::new(SUBJECT, payload.as_slice());
        let answer = self.publisher.request(request, Duration::from_secs(10)).await?;
        let reading: Reading = serde_json::from_slice(answer.payload())?;
        black_box(&reading);
        Ok(())
    }
}

/// Publish into a stream, and wait for the receipt.
pub struct RustStreamStore {
    publisher: JetStreamPublisher,
    _ends: Ends,
}

impl Job for RustStreamStore {
    fn start(runtime: &Runtime, _: u64) -> Result<Self> {
        runtime.block_on(async {
            let ends = Ends::jetstream().await?;
            raw::context(&ends.near).await?;
            let near = NatsBroker::new(ends.url()).connect().await?;
            Ok(Self { publisher: near.publisher(JetStreamPublish::default()), _ends: ends })
        })
    }

    async fn once(&self, n: u64) -> Result {
        Ok(self.publisher.message(&Reading::nth(n)).to(SUBJECT).publish().await.map(drop)?)
    }
}

/// Take from a durable consumer, handle, and ack.
#[derive(Debug)]
pub struct RustStreamPull(Ends);

impl Whole for RustStreamPull {
    const BACKLOG: bool = true;

    async fn start(ends: Ends) -> Result<Self> {
        Ok(Self(ends))
    }

    async fn work(&self, messages: u64) -> Result {
        let countdown = Countdown::default();
        countdown.expect(messages);
        let source = JetStreamSubject::new(SUBJECT, STREAM).durable("bench");
        let handler = subscriber(source, Count::<Reading>(PhantomData)).build();
        start(&self.0, countdown.clone(), |scope| {
            scope.include(handler);
        })
        .await?;
        countdown.reached().await;
        Ok(())
    }
}

/// A service with what `mount` puts into it.
async fn start(
    ends: &Ends,
    countdown: Countdown,
    mount: impl FnOnce(&mut BrokerScope<NatsBroker, Identity, (), Countdown>) + Send,
) -> Result {
    let app = RustStream::new(AppInfo::new("bench", "0.0.0"))
        .on_startup(async move |()| Ok::<_, Infallible>(countdown))
        .with_broker(NatsBroker::new(ends.url()), mount);
    // Dropping the handle of a running app detaches it; it stops with the runtime.
    drop(app.start().await?);
    Ok(())
}

macro_rules! opaque {
    ($($name:ident)*) => { $(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )* };
}
opaque!(RustStreamPubSub RustStreamRequests RustStreamStore);
