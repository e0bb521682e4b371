//! flux on the same servers: the bare subscription, and the router with its handlers.

use std::hint::black_box;
use std::pin::pin;

use flux_codec::Json;
use flux_core::{Acker as _, Bound, Delivery, Failure, Message, Publisher as _, Responder};
use flux_core::{Subject, Subscriber as _, Typed, bind, next};
use flux_jetstream::{ConsumerConfig, JetStream, JsConsumer, JsStream, StreamBus as _, StreamConfig};
use flux_nats::{Nats, NatsConfig};
use futures_util::stream::{StreamExt as _, iter};
use tokio::runtime::Runtime;

use crate::Result;
use crate::contender::flux::start;
use crate::contender::nats::{Ends, Job, STREAM, SUBJECT, Whole};
use crate::contender::service::Service;
use crate::countdown::Countdown;
use crate::payload::{Payload as _, Reading};

/// The literal that the raw client is given, checked once.
const READINGS: Subject = Subject::from_static(SUBJECT);

/// Publish to a fixed subject, and read the subscription; with `HEADERS`, messages name their content type and requests their
/// deadline.
#[derive(Debug)]
pub struct FluxPubSub<const HEADERS: bool> {
    near: Bound<Bus>,
    countdown: Countdown,
    _ends: Ends,
}

/// The same, with the subject as a string that is looked at for every message.
#[derive(Debug)]
pub struct FluxByString(FluxPubSub<false>);

/// Publish, and handle by a route.
#[derive(Debug)]
pub struct FluxRouted(FluxPubSub<false>);

impl<const HEADERS: bool> Service for FluxPubSub<HEADERS> {
    fn start(runtime: &Runtime) -> Result<Self> {
        let (ends, near, far) = buses::<HEADERS>(runtime)?;
        let countdown = Countdown::default();
        let seen = countdown.clone();
        runtime.block_on(async {
            let readings = far.subscribe(SUBJECT).await?;
            far.wire().flush().await?;
            tokio::spawn(async move {
                let mut readings = pin!(readings);
                while let Some(delivery) = next(readings.as_mut()).await {
                    let delivery: Delivery<Reading, _> = delivery.expect("a reading");
                    black_box(&delivery.message.payload);
                    seen.arrived();
                }
            });
            Ok(Self { near: bind(near, READINGS)?, countdown, _ends: ends })
        })
    }

    fn countdown(&self) -> &Countdown {
        &self.countdown
    }

    async fn publish(&self, messages: u64) -> Result {
        for n in 0..messages {
            self.near.publish(Reading::nth(n)).await?;
        }
        self.near.transport().wire().flush().await?;
        Ok(())
    }
}

impl Service for FluxByString {
    fn start(runtime: &Runtime) -> Result<Self> {
        FluxPubSub::start(runtime).map(Self)
    }

    fn countdown(&self) -> &Countdown {
        self.0.countdown()
    }

    async fn publish(&self, messages: u64) -> Result {
        let bus = self.0.near.transport();
        for n in 0..messages {
            bus.publish(SUBJECT, Reading::nth(n)).await?;
        }
        bus.wire().flush().await?;
        Ok(())
    }
}

impl Service for FluxRouted {
    fn start(runtime: &Runtime) -> Result<Self> {
        let (ends, near, far) = buses::<false>(runtime)?;
        let countdown = Countdown::default();
        start::<Reading, _>(runtime, &far, SUBJECT, &countdown)?;
        runtime.block_on(far.wire().flush())?;
        let near = bind(near, READINGS)?;
        Ok(Self(FluxPubSub { near, countdown, _ends: ends }))
    }

    fn countdown(&self) -> &Countdown {
        self.0.countdown()
    }

    async fn publish(&self, messages: u64) -> Result {
        self.0.publish(messages).await
    }
}

/// Ask and answer.
#[derive(Debug)]
pub struct FluxRequests<const HEADERS: bool> {
    near: Bound<Bus>,
    _ends: Ends,
}

impl<const HEADERS: bool> Job for FluxRequests<HEADERS> {
    fn start(runtime: &Runtime, _: u64) -> Result<Self> {
        let (ends, near, far) = buses::<HEADERS>(runtime)?;
        let echo = |request: Message<Reading>| async move { Ok::<_, Failure>(request.payload) };
        let flushed = far.clone();
        runtime.spawn(async move { Responder::<Reading, Reading>::serve(&far, SUBJECT, echo).await });
        let near = bind(near, READINGS)?;
        runtime.block_on(async {
            // Until the responder is there, a request fails at once.
            while near.request(Reading::nth(0)).await.map(|_: Reading| ()).is_err() {
                flushed.wire().flush().await?;
            }
            Result::Ok(())
        })?;
        Ok(Self { near, _ends: ends })
    }

    async fn once(&self, n: u64) -> Result {
        let reading: Reading = self.near.request(Reading::nth(n)).await?;
        black_box(&reading);
        Ok(())
    }
}

/// Publish into a stream, and wait for the receipt.
#[derive(Debug)]
pub struct FluxStore<const HEADERS: bool> {
    stream: Bound<Typed<JsStream, Json>>,
    _ends: Ends,
}

impl<const HEADERS: bool> Job for FluxStore<HEADERS> {
    fn start(runtime: &Runtime, _: u64) -> Result<Self> {
        runtime.block_on(async {
            let ends = Ends::jetstream().await?;
            let stream = stream(bus::<HEADERS>(&ends.near)).await?;
            Ok(Self { stream: bind(stream.typed(Json), READINGS)?, _ends: ends })
        })
    }

    async fn once(&self, n: u64) -> Result {
        black_box(self.stream.publish(Reading::nth(n)).await?);
        Ok(())
    }
}

/// Publish into a stream, with up to 1,000 receipts outstanding.
#[derive(Debug)]
pub struct FluxPipeline<const HEADERS: bool>(Ends);

impl<const HEADERS: bool> Whole for FluxPipeline<HEADERS> {
    const BACKLOG: bool = false;

    async fn start(ends: Ends) -> Result<Self> {
        Ok(Self(ends))
    }

    async fn work(&self, messages: u64) -> Result {
        let stream = stream(bus::<HEADERS>(&self.0.near)).await?.typed(Json);
        let readings = iter((0..messages).map(|n| Message::to(READINGS, Reading::nth(n))));
        let mut receipts = pin!(stream.publish_all(readings, 1_000).await?);
        while let Some(receipt) = receipts.next().await {
            black_box(receipt?);
        }
        Ok(())
    }
}

/// Publish into a stream with up to 1,000 receipts outstanding, and handle by a route.
#[derive(Debug)]
pub struct FluxHandled {
    stream: Typed<JsStream, Json>,
    countdown: Countdown,
    _ends: Ends,
}

impl Service for FluxHandled {
    fn start(runtime: &Runtime) -> Result<Self> {
        let (ends, near, far) = runtime.block_on(async {
            let ends = Ends::jetstream().await?;
            let (near, far) = (stream(bus::<false>(&ends.near)).await?, stream(bus::<false>(&ends.far)).await?);
            Result::Ok((ends, near.typed(Json), far.typed(Json)))
        })?;
        let countdown = Countdown::default();
        start::<Reading, _>(runtime, &far, SUBJECT, &countdown)?;
        Ok(Self { stream: near, countdown, _ends: ends })
    }

    fn countdown(&self) -> &Countdown {
        &self.countdown
    }

    async fn publish(&self, messages: u64) -> Result {
        let readings = iter((0..messages).map(|n| Message::to(READINGS, Reading::nth(n))));
        let mut receipts = pin!(self.stream.publish_all(readings, 1_000).await?);
        while let Some(receipt) = receipts.next().await {
            black_box(receipt?);
        }
        Ok(())
    }
}

/// Take from a durable consumer, and ack.
#[derive(Debug)]
pub struct FluxPull {
    consumer: Typed<JsConsumer, Json>,
    _ends: Ends,
}

impl Whole for FluxPull {
    const BACKLOG: bool = true;

    async fn start(ends: Ends) -> Result<Self> {
        let stream = stream(bus::<false>(&ends.far)).await?;
        let config = ConsumerConfig::durable("bench").with_max_ack_pending(10_000);
        Ok(Self { consumer: stream.consumer(config).await?.typed(Json), _ends: ends })
    }

    async fn work(&self, messages: u64) -> Result {
        let mut taken = pin!(self.consumer.subscribe(">").await?);
        for _ in 0..messages {
            let delivery: Delivery<Reading, _> = next(taken.as_mut()).await.ok_or("the stream ended")??;
            black_box(&delivery.message.payload);
            delivery.acker.ack().await?;
        }
        Ok(())
    }
}

type Bus = Typed<Nats, Json>;

/// A server, and a bus over each end.
fn buses<const HEADERS: bool>(runtime: &Runtime) -> Result<(Ends, Bus, Bus)> {
    let ends = runtime.block_on(Ends::core())?;
    let (near, far) = (bus::<HEADERS>(&ends.near), bus::<HEADERS>(&ends.far));
    Ok((ends, near.typed(Json), far.typed(Json)))
}

fn bus<const HEADERS: bool>(client: &async_nats::Client) -> Nats {
    let config = NatsConfig::new();
    let config = if HEADERS { config.with_json_content_type().with_timeout_as_deadline() } else { config };
    Nats::with_config(client.clone(), config)
}

async fn stream(nats: Nats) -> Result<JsStream> {
    Ok(JetStream::new(nats).stream(StreamConfig::new(STREAM, [SUBJECT])).await?)
}
