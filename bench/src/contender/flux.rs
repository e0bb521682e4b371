//! flux: the router on in-process channels, with values and with JSON.

use std::hint::black_box;
use std::marker::PhantomData;

use bytes::Bytes;
use flux_codec::Json;
use flux_core::{Codec as _, Failure, Handler, Headers, Message, Publisher, Scope, Subscriber, Typed, header};
use flux_mem::Mem;
use flux_router::{Handle, Router};
use tokio::runtime::Runtime;

use crate::Result;
use crate::contender::service::Service;
use crate::countdown::Countdown;
use crate::payload::{Payload, Sample};

/// Where the messages go.
const SUBJECT: &str = "bench.samples";

/// Values, moved.
#[derive(Debug)]
pub struct Flux {
    bus: Mem,
    countdown: Countdown,
}

/// Values as JSON, over the same channels.
#[derive(Debug)]
pub struct FluxJson<T> {
    bus: Typed<Mem, Json>,
    countdown: Countdown,
    payload: PhantomData<fn() -> T>,
}

/// `S`, where each message carries on a trace that nobody records.
#[derive(Debug)]
pub struct Passing<S>(S);

/// A handler that looks at the message and counts it.
pub(crate) fn counting<T: Send + 'static>(countdown: &Countdown) -> impl Handler<T> + 'static {
    let seen = countdown.clone();
    move |message: Message<T>| {
        let seen = seen.clone();
        async move {
            black_box(&message.payload);
            seen.arrived();
            Ok::<(), Failure>(())
        }
    }
}

/// Starts a router with one route, and waits until it is live.
pub(crate) fn start<T, B>(runtime: &Runtime, bus: &B, filter: &str, countdown: &Countdown) -> Result<Handle>
where
    T: Clone + Send + 'static,
    B: Publisher<T> + Subscriber<T, Deliveries: 'static> + Clone + 'static,
{
    let router = Router::new().route(filter, bus, counting::<T>(countdown));
    let handle = router.handle();
    runtime.spawn(router.run());
    runtime.block_on(handle.ready())?;
    Ok(handle)
}

impl Service for Flux {
    fn start(runtime: &Runtime) -> Result<Self> {
        let (bus, countdown) = (Mem::new(), Countdown::default());
        start::<Sample, _>(runtime, &bus, SUBJECT, &countdown)?;
        Ok(Self { bus, countdown })
    }

    fn countdown(&self) -> &Countdown {
        &self.countdown
    }

    async fn publish(&self, messages: u64) -> Result {
        for n in 0..messages {
            self.bus.publish(SUBJECT, Sample::nth(n)).await?;
        }
        Ok(())
    }
}

impl<T: Payload> Service for FluxJson<T> {
    fn start(runtime: &Runtime) -> Result<Self> {
        let (bus, countdown) = (Mem::new().typed(Json), Countdown::default());
        start::<T, _>(runtime, &bus, SUBJECT, &countdown)?;
        Ok(Self { bus, countdown, payload: PhantomData })
    }

    fn countdown(&self) -> &Countdown {
        &self.countdown
    }

    async fn publish(&self, messages: u64) -> Result {
        for n in 0..messages {
            self.bus.publish(SUBJECT, T::nth(n)).await?;
        }
        Ok(())
    }

    async fn publish_encoded(&self, messages: u64) -> Result {
        let encoded: Bytes = Json.to_bytes(T::nth(0), &mut Vec::new())?;
        for _ in 0..messages {
            self.bus.wire().publish(SUBJECT, encoded.clone()).await?;
        }
        Ok(())
    }
}

impl<S: Service> Service for Passing<S> {
    fn start(runtime: &Runtime) -> Result<Self> {
        S::start(runtime).map(Self)
    }

    fn countdown(&self) -> &Countdown {
        self.0.countdown()
    }

    async fn publish(&self, messages: u64) -> Result {
        let mut headers = Headers::new();
        headers.insert(header::TRACEPARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")?;
        Scope::of(&headers).run(self.0.publish(messages)).await
    }
}
