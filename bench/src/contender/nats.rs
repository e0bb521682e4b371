//! Work over a real server: each contender starts one of its own, so that none finds another's leavings.

use std::fmt;
use std::marker::PhantomData;

use async_nats::Client;
use flux_nats_server::Server;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::Runtime;

use crate::contender::Contender;
use crate::stopwatch::Stopwatch;
use crate::{Result, runtime};

pub mod flux;
pub mod raw;
pub mod ruststream;

/// Where messages go.
pub(crate) const SUBJECT: &str = "bench.readings";

/// The stream that takes them.
pub(crate) const STREAM: &str = "BENCH";

/// A server, and a connection for each end.
#[derive(Debug)]
pub struct Ends {
    /// Publishes and asks.
    pub near: Client,
    /// Subscribes and answers.
    pub far: Client,
    server: Server,
}

impl Ends {
    /// A server that has only core NATS.
    pub(crate) async fn core() -> Result<Self> {
        Self::of(Server::builder().start().await?).await
    }

    /// A server with JetStream, its files on disk.
    pub(crate) async fn jetstream() -> Result<Self> {
        Self::of(Server::builder().with_jetstream().start().await?).await
    }

    async fn of(server: Server) -> Result<Self> {
        let near = async_nats::connect(server.url()).await?;
        let far = async_nats::connect(server.url()).await?;
        Ok(Self { near, far, server })
    }

    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }
}

/// Returns when the server has read all that this connection sent. The client's own `flush` only writes it, and what another
/// connection publishes meanwhile would find no subscription.
pub(crate) async fn round_trip(client: &Client) {
    // Nobody answers, which the server says in the order of what it was told.
    let _ = client.request("bench.nobody", "".into()).await;
}

/// A library that does one thing many times, with some of them under way at once.
pub trait Job: Sized + Send + Sync + 'static {
    /// Starts the library, and prepares what a run of that many needs.
    ///
    /// # Errors
    ///
    /// When the library refuses to start.
    fn start(runtime: &Runtime, messages: u64) -> Result<Self>;

    /// Does the `n`th and returns when it is done.
    fn once(&self, n: u64) -> impl Future<Output = Result> + Send;
}

/// A [`Job`] done with so many under way.
#[derive(Clone, Copy)]
pub struct InFlight<J> {
    name: &'static str,
    width: u64,
    job: PhantomData<fn() -> J>,
}

impl<J: Job> InFlight<J> {
    /// The contender called `name`.
    #[must_use]
    pub fn new(name: &'static str, width: u64) -> Self {
        Self { name, width, job: PhantomData }
    }
}

impl<J: Job> Contender for InFlight<J> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, messages: u64, stopwatch: &mut Stopwatch) -> Result {
        let runtime = runtime::workers()?;
        let job = J::start(&runtime, messages)?;
        let width = self.width;
        let work = async move {
            let mut under_way = FuturesUnordered::new();
            for n in 0..messages {
                if n >= width {
                    under_way.next().await.unwrap_or(Ok(()))?;
                }
                under_way.push(job.once(n));
            }
            while let Some(done) = under_way.next().await {
                done?;
            }
            drop(under_way);
            Result::Ok(job)
        };
        // The last use of the job is outside: it stops its server.
        stopwatch.measure(|| runtime.block_on(work)).map(drop)
    }
}

impl<J> fmt::Debug for InFlight<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A library that does all of it in its own way.
pub trait Whole: Sized + Send + Sync + 'static {
    /// Whether the stream is filled beforehand.
    const BACKLOG: bool;

    /// Starts the library.
    fn start(ends: Ends) -> impl Future<Output = Result<Self>> + Send;

    /// Does so many.
    fn work(&self, messages: u64) -> impl Future<Output = Result> + Send;
}

/// A [`Whole`] done at once.
#[derive(Clone, Copy)]
pub struct AtOnce<W> {
    name: &'static str,
    whole: PhantomData<fn() -> W>,
}

impl<W: Whole> AtOnce<W> {
    /// The contender called `name`.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, whole: PhantomData }
    }
}

impl<W: Whole> Contender for AtOnce<W> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, messages: u64, stopwatch: &mut Stopwatch) -> Result {
        let runtime = runtime::workers()?;
        let whole = runtime.block_on(async {
            let ends = Ends::jetstream().await?;
            if W::BACKLOG {
                raw::fill::<false>(&ends.near, messages).await?;
            }
            W::start(ends).await
        })?;
        let work = async move {
            whole.work(messages).await?;
            Result::Ok(whole)
        };
        stopwatch.measure(|| runtime.block_on(work)).map(drop)
    }
}

impl<W> fmt::Debug for AtOnce<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtOnce").field("name", &self.name).finish_non_exhaustive()
    }
}
