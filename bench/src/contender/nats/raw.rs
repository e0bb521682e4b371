//! async-nats and `serde_json`, used as their documentation shows.

use std::collections::VecDeque;
use std::hint::black_box;

use async_nats::Client;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, Context, stream};
use futures_util::StreamExt as _;
use tokio::runtime::Runtime;

use crate::Result;
use crate::contender::nats::{Ends, Job, STREAM, SUBJECT, Whole, round_trip};
use crate::contender::service::Service;
use crate::countdown::Countdown;
use crate::payload::{Payload as _, Reading};

/// How many publishes wait for their receipt while a stream is filled.
const WINDOW: usize = 1_000;

/// Publish and subscribe.
#[derive(Debug)]
pub struct RawPubSub {
    ends: Ends,
    countdown: Countdown,
}

impl Service for RawPubSub {
    fn start(runtime: &Runtime) -> Result<Self> {
        let countdown = Countdown::default();
        let seen = countdown.clone();
        runtime.block_on(async {
            let ends = Ends::core().await?;
            let mut readings = ends.far.subscribe(SUBJECT).await?;
            round_trip(&ends.far).await;
            tokio::spawn(async move {
                while let Some(message) = readings.next().await {
                    let reading: Reading = serde_json::from_slice(&message.payload).expect("a reading");
                    black_box(&reading);
                    seen.arrived();
                }
            });
            Ok(Self { ends, countdown })
        })
    }

    fn countdown(&self) -> &Countdown {
        &self.countdown
    }

    async fn publish(&self, messages: u64) -> Result {
        for n in 0..messages {
            let payload = serde_json::to_vec(&Reading::nth(n))?;
            self.ends.near.publish(SUBJECT, payload.into()).await?;
        }
        Ok(self.ends.near.flush().await?)
    }
}

/// Ask and answer.
#[derive(Debug)]
pub struct RawRequests(Ends);

impl Job for RawRequests {
    fn start(runtime: &Runtime, _: u64) -> Result<Self> {
        runtime.block_on(async {
            let ends = Ends::core().await?;
            let mut requests = ends.far.queue_subscribe(SUBJECT, "q".to_owned()).await?;
            round_trip(&ends.far).await;
            let far = ends.far.clone();
            tokio::spawn(async move {
                while let Some(request) = requests.next().await {
                    let reading: Reading = serde_json::from_slice(&request.payload).expect("a reading");
                    let answer = serde_json::to_vec(&reading).expect("a reading");
                    let reply = request.reply.expect("a request");
                    far.publish(reply, answer.into()).await.expect("connected");
                }
            });
            Ok(Self(ends))
        })
    }

    async fn once(&self, n: u64) -> Result {
        let payload = serde_json::to_vec(&Reading::nth(n))?;
        let answer = self.0.near.request(SUBJECT, payload.into()).await?;
        let reading: Reading = serde_json::from_slice(&answer.payload)?;
        black_box(&reading);
        Ok(())
    }
}

/// Publish into a stream, and wait for the receipt.
#[derive(Debug)]
pub struct RawStore {
    context: Context,
    _ends: Ends,
}

impl Job for RawStore {
    fn start(runtime: &Runtime, _: u64) -> Result<Self> {
        runtime.block_on(async {
            let ends = Ends::jetstream().await?;
            let context = context(&ends.near).await?;
            Ok(Self { context, _ends: ends })
        })
    }

    async fn once(&self, n: u64) -> Result {
        let payload = serde_json::to_vec(&Reading::nth(n))?;
        black_box(self.context.publish(SUBJECT, payload.into()).await?.await?);
        Ok(())
    }
}

/// Publish into a stream, with the receipts of the last 1,000 outstanding.
#[derive(Debug)]
pub struct RawPipeline(Ends);

impl Whole for RawPipeline {
    const BACKLOG: bool = false;

    async fn start(ends: Ends) -> Result<Self> {
        Ok(Self(ends))
    }

    async fn work(&self, messages: u64) -> Result {
        fill(&self.0.near, messages).await
    }
}

/// Take from a durable consumer, and ack.
#[derive(Debug)]
pub struct RawPull {
    consumer: jetstream::consumer::PullConsumer,
    _ends: Ends,
}

impl Whole for RawPull {
    const BACKLOG: bool = true;

    async fn start(ends: Ends) -> Result<Self> {
        let stream = jetstream::new(ends.far.clone()).get_stream(STREAM).await?;
        let config = pull::Config {
            durable_name: Some("bench".to_owned()),
            ack_policy: AckPolicy::Explicit,
            max_ack_pending: 10_000,
            ..pull::Config::default()
        };
        Ok(Self { consumer: stream.create_consumer(config).await?, _ends: ends })
    }

    async fn work(&self, messages: u64) -> Result {
        let mut taken = self.consumer.messages().await?;
        for _ in 0..messages {
            let message = taken.next().await.ok_or("the stream ended")??;
            let reading: Reading = serde_json::from_slice(&message.payload)?;
            black_box(&reading);
            message.ack().await?;
        }
        Ok(())
    }
}

/// A stream of the subject that is measured.
async fn context(client: &Client) -> Result<Context> {
    let context = jetstream::new(client.clone());
    let config =
        stream::Config { name: STREAM.to_owned(), subjects: vec![SUBJECT.to_owned()], ..stream::Config::default() };
    context.create_stream(config).await?;
    Ok(context)
}

/// Puts so many readings into a stream of its own.
pub(crate) async fn fill(client: &Client, messages: u64) -> Result {
    let context = context(client).await?;
    let mut receipts = VecDeque::new();
    for n in 0..messages {
        let payload = serde_json::to_vec(&Reading::nth(n))?;
        receipts.push_back(context.publish(SUBJECT, payload.into()).await?);
        if receipts.len() == WINDOW
            && let Some(receipt) = receipts.pop_front()
        {
            receipt.await?;
        }
    }
    for receipt in receipts {
        receipt.await?;
    }
    Ok(())
}
