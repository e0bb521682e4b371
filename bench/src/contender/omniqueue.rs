//! omniqueue's in-memory backend: a queue whose payloads are always bytes.

use std::fmt;
use std::hint::black_box;
use std::marker::PhantomData;

use omniqueue::backends::InMemoryBackend;
use omniqueue::backends::in_memory::{InMemoryConsumer, InMemoryProducer};
use omniqueue::{Delivery, QueueError};
use tokio::runtime::Runtime;

use crate::Result;
use crate::contender::service::Service;
use crate::countdown::Countdown;
use crate::payload::{Payload, Sample};

/// One producer, one consumer, [`Sample`] in the encoding `E`; each delivery is acked.
pub struct Omniqueue<E> {
    producer: InMemoryProducer,
    countdown: Countdown,
    encoding: PhantomData<fn() -> E>,
}

/// How a [`Sample`] becomes bytes.
pub trait Encoding: Send + 'static {
    /// Encodes and sends.
    fn send(
        producer: &InMemoryProducer,
        sample: &Sample,
    ) -> impl Future<Output = std::result::Result<(), QueueError>> + Send;

    /// Decodes what was sent.
    ///
    /// # Errors
    ///
    /// When the bytes are no [`Sample`].
    fn decode(delivery: &Delivery) -> std::result::Result<Option<Sample>, QueueError>;
}

/// JSON: omniqueue's typed interface.
#[derive(Clone, Copy, Debug)]
pub struct Json;

/// 128 bytes: what is left when encoding costs next to nothing.
#[derive(Clone, Copy, Debug)]
pub struct Raw;

impl Encoding for Json {
    async fn send(producer: &InMemoryProducer, sample: &Sample) -> std::result::Result<(), QueueError> {
        producer.send_serde_json(sample).await
    }

    fn decode(delivery: &Delivery) -> std::result::Result<Option<Sample>, QueueError> {
        delivery.payload_serde_json()
    }
}

impl Encoding for Raw {
    async fn send(producer: &InMemoryProducer, sample: &Sample) -> std::result::Result<(), QueueError> {
        producer.send_raw(&sample.to_bytes()).await
    }

    fn decode(delivery: &Delivery) -> std::result::Result<Option<Sample>, QueueError> {
        Ok(delivery.borrow_payload().and_then(Sample::from_bytes))
    }
}

impl<E: Encoding> Service for Omniqueue<E> {
    fn start(runtime: &Runtime) -> Result<Self> {
        let pair = InMemoryBackend::builder().build_pair();
        let (producer, consumer) = runtime.block_on(pair)?;
        let countdown = Countdown::default();
        let seen = countdown.clone();
        runtime.spawn(async move {
            let error = handle::<E>(consumer, seen).await;
            panic!("omniqueue's consumer stopped: {error}");
        });
        Ok(Self { producer, countdown, encoding: PhantomData })
    }

    fn countdown(&self) -> &Countdown {
        &self.countdown
    }

    async fn publish(&self, messages: u64) -> Result {
        for n in 0..messages {
            E::send(&self.producer, &Sample::nth(n)).await?;
        }
        Ok(())
    }
}

/// Decodes, reports and acks until something fails.
async fn handle<E: Encoding>(mut consumer: InMemoryConsumer, seen: Countdown) -> QueueError {
    loop {
        let handled = async {
            let delivery = consumer.receive().await?;
            black_box(&E::decode(&delivery)?.ok_or(QueueError::NoData)?);
            seen.arrived();
            delivery.ack().await.map_err(|(error, _)| error)
        };
        if let Err(error) = handled.await {
            return error;
        }
    }
}

impl<E> fmt::Debug for Omniqueue<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Omniqueue").finish_non_exhaustive()
    }
}
