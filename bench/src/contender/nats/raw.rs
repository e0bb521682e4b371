//! async-nats and `serde_json`, used as their documentation shows: bare, and with the headers that flux sends on request.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::{self, Context, stream};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::runtime::Runtime;

use crate::Result;
use crate::contender::nats::{Ends, Job, STREAM, SUBJECT, Whole, round_trip};
use crate::contender::service::Service;
use crate::countdown::Countdown;
use crate::payload::{Payload as _, Reading};

/// How many publishes wait for their receipt while a stream is filled.
const WINDOW: usize = 1_000;

/// How long a request waits for its answer, as long as flux's.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Publish and subscribe; with `HEADERS`, each message names its content type.
#[derive(Debug)]
pub struct RawPubSub<const HEADERS: bool> {
    ends: Ends,
    countdown: Countdown,
}

impl<const HEADERS: bool> Service for RawPubSub<HEADERS> {
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
            let payload = serde_json::to_vec(&Reading::nth(n))?.into();
            if HEADERS {
                self.ends.near.publish_with_headers(SUBJECT, content_type(), payload).await?;
            } else {
                self.ends.near.publish(SUBJECT, payload).await?;
            }
        }
        Ok(self.ends.near.flush().await?)
    }
}

/// Ask and answer; with `HEADERS`, both name their content type, and requests their deadline.
#[derive(Debug)]
pub struct RawRequests<const HEADERS: bool>(Ends);

impl<const HEADERS: bool> Job for RawRequests<HEADERS> {
    fn start(runtime: &Runtime, _: u64) -> Result<Self> {
        runtime.block_on(async {
            let ends = Ends::core().await?;
            let mut requests = ends.far.queue_subscribe(SUBJECT, "q".to_owned()).await?;
            round_trip(&ends.far).await;
            let far = ends.far.clone();
            tokio::spawn(async move {
                while let Some(request) = requests.next().await {
                    let reading: Reading = serde_json::from_slice(&request.payload).expect("a reading");
                    let answer = serde_json::to_vec(&reading).expect("a reading").into();
                    let reply = request.reply.expect("a request");
                    let sent = if HEADERS {
                        far.publish_with_headers(reply, content_type(), answer).await
                    } else {
                        far.publish(reply, answer).await
                    };
                    sent.expect("connected");
                }
            });
            Ok(Self(ends))
        })
    }

    async fn once(&self, n: u64) -> Result {
        let payload = serde_json::to_vec(&Reading::nth(n))?.into();
        let answer = if HEADERS {
            let mut headers = content_type();
            let deadline = SystemTime::now().duration_since(UNIX_EPOCH)? + TIMEOUT;
            headers.insert("X-Deadline", deadline.as_millis().to_string());
            self.0.near.request_with_headers(SUBJECT, headers, payload).await?
        } else {
            self.0.near.request(SUBJECT, payload).await?
        };
        let reading: Reading = serde_json::from_slice(&answer.payload)?;
        black_box(&reading);
        Ok(())
    }
}

/// Publish into a stream, and wait for the receipt; with `HEADERS`, each message names its content type.
#[derive(Debug)]
pub struct RawStore<const HEADERS: bool> {
    context: Context,
    _ends: Ends,
}

impl<const HEADERS: bool> Job for RawStore<HEADERS> {
    fn start(runtime: &Runtime, _: u64) -> Result<Self> {
        runtime.block_on(async {
            let ends = Ends::jetstream().await?;
            let context = context(&ends.near).await?;
            Ok(Self { context, _ends: ends })
        })
    }

    async fn once(&self, n: u64) -> Result {
        let payload = serde_json::to_vec(&Reading::nth(n))?.into();
        black_box(store::<HEADERS>(&self.context, payload).await?.await?);
        Ok(())
    }
}

/// Publish into a stream, with the receipts of the last 1,000 outstanding.
#[derive(Debug)]
pub struct RawPipeline<const HEADERS: bool>(Ends);

impl<const HEADERS: bool> Whole for RawPipeline<HEADERS> {
    const BACKLOG: bool = false;

    async fn start(ends: Ends) -> Result<Self> {
        Ok(Self(ends))
    }

    async fn work(&self, messages: u64) -> Result {
        fill::<HEADERS>(&self.0.near, messages).await
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
pub(crate) async fn context(client: &Client) -> Result<Context> {
    let context = jetstream::new(client.clone());
    let config =
        stream::Config { name: STREAM.to_owned(), subjects: vec![SUBJECT.to_owned()], ..stream::Config::default() };
    context.create_stream(config).await?;
    Ok(context)
}

/// Hands a message to a stream.
async fn store<const HEADERS: bool>(context: &Context, payload: Bytes) -> Result<PublishAckFuture> {
    if HEADERS {
        Ok(context.publish_with_headers(SUBJECT, content_type(), payload).await?)
    } else {
        Ok(context.publish(SUBJECT, payload).await?)
    }
}

/// What flux can be told to say of each message.
fn content_type() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", "application/json");
    headers
}

/// Puts so many readings into a stream of its own.
pub(crate) async fn fill<const HEADERS: bool>(client: &Client, messages: u64) -> Result {
    let context = context(client).await?;
    let mut receipts = VecDeque::new();
    for n in 0..messages {
        let payload = serde_json::to_vec(&Reading::nth(n))?.into();
        receipts.push_back(store::<HEADERS>(&context, payload).await?);
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
