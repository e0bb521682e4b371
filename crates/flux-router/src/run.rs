//! Runs checked routes: start all, watch all, drain all.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use flux_core::{Error, ErrorKind, Result};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::event::Listener;
use crate::handle::{Handle, Phase};
use crate::plan::{Start, Work};
use crate::shared::{About, Shared};
use crate::stop::{First, race};
use crate::{Report, RouteReport, SecondSignal};

/// A router whose routes were checked.
pub(crate) struct Ready {
    pub(crate) routes: Vec<(About, Box<dyn Start>)>,
    pub(crate) listener: Option<Listener>,
    pub(crate) drain: Duration,
    pub(crate) handle: Handle,
}

/// Marks the router as stopped however its run ends, so that nobody waits for one that was dropped.
struct Ends(Handle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.leave();
    }
}

pub(crate) async fn run<F>(ready: Ready, shutdown: F) -> Result<Report>
where
    F: Future<Output: Into<SecondSignal>>,
{
    let Ready { routes, listener, drain, handle } = ready;
    let stop = handle.stop_flag();
    let _ends = Ends(handle.clone());
    let mut shared = Vec::new();
    let mut works = Vec::new();
    for (about, route) in routes {
        let part = Arc::new(Shared::new(about, Arc::clone(&stop), listener.clone()));
        match route.start(Arc::clone(&part)).await {
            Ok(work) => works.push(work),
            Err(error) => {
                let error = in_route(&part.name, error);
                stop.ask();
                handle.enter(Phase::Failed(error.to_string()));
                return Err(error);
            }
        }
        shared.push(part);
    }
    handle.watch(shared.clone());
    stop.go_live();
    #[cfg(feature = "telemetry")]
    let _reports = crate::instruments::report(&shared);
    let mut tasks = JoinSet::new();
    let mut flushes = Vec::new();
    for (Work { workers, flush }, part) in works.into_iter().zip(&shared) {
        for worker in workers {
            let name = part.name.clone();
            tasks.spawn(async move { worker.await.map_err(|error| in_route(&name, error)) });
        }
        flushes.push(flush);
    }
    handle.enter(Phase::Live);

    let mut signals = Signals { shutdown: Some(Box::pin(shutdown)), second: None };
    let asked = async { race(pin!(signals.first()), stop.asked()).await };
    let mut result = match race(pin!(finish(&mut tasks)), asked).await {
        First::Left(result) => result,
        First::Right(_) => Ok(()),
    };
    stop.ask();
    let cut = async { race(pin!(sleep(drain)), signals.second()).await };
    if let First::Left(drained) = race(pin!(finish_all(&mut tasks)), cut).await {
        result = result.and(drained);
    }
    tasks.shutdown().await;
    for part in &shared {
        part.confirm().await;
    }
    for flush in flushes {
        result = result.and(flush.await);
    }
    let routes: Vec<_> =
        shared.iter().map(|part| RouteReport { name: part.name.clone(), metrics: part.metrics() }).collect();
    let withheld = routes.iter().map(|route| route.metrics.in_flight).sum();
    result.map(|()| Report { routes, withheld })
}

/// The signals from outside. The first asks for a drain, whether or not one is under way for another reason; the second
/// cuts it short.
struct Signals<F> {
    /// Gone once it is done.
    shutdown: Option<Pin<Box<F>>>,
    second: Option<SecondSignal>,
}

impl<F: Future<Output: Into<SecondSignal>>> Signals<F> {
    async fn first(&mut self) {
        if let Some(shutdown) = &mut self.shutdown {
            let output = shutdown.as_mut().await;
            self.second = Some(output.into());
            self.shutdown = None;
        }
    }

    async fn second(&mut self) {
        self.first().await;
        match &mut self.second {
            Some(second) => second.await,
            None => pending().await,
        }
    }
}

/// Waits until every worker has ended by itself, or one has failed.
async fn finish(tasks: &mut JoinSet<Result<()>>) -> Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap_or_else(|panic| Err(Error::new(ErrorKind::Other, "a worker ended").with_source(panic)))?;
    }
    Ok(())
}

/// Waits until every worker has ended; the first failure is the result.
async fn finish_all(tasks: &mut JoinSet<Result<()>>) -> Result<()> {
    let mut result = Ok(());
    while !tasks.is_empty() {
        result = result.and(finish(tasks).await);
    }
    result
}

fn in_route(name: &str, error: Error) -> Error {
    let retryable = error.is_retryable();
    Error::new(error.kind(), format!("route `{name}`: {error}")).with_retryable(retryable).with_source(error)
}
