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
use crate::plan::{Flush, Start, Work};
use crate::shared::{About, Shared};
use crate::stop::{First, Stop, race};
use crate::{Report, RouteReport, SecondSignal};

/// What the end of a drain may take although its time is up: a round trip to a peer that is there.
const LAST: Duration = Duration::from_secs(1);

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

/// A route that was started.
struct Part {
    shared: Arc<Shared>,
    work: Work,
}

pub(crate) async fn run<F>(ready: Ready, shutdown: F) -> Result<Report>
where
    F: Future<Output: Into<SecondSignal>>,
{
    let Ready { routes, listener, drain, handle } = ready;
    let stop = handle.stop_flag();
    let _ends = Ends(handle.clone());
    let mut parts = Vec::new();
    let mut result = start(routes, listener.as_ref(), &stop, &mut parts).await;
    if let Err(error) = &result {
        // The routes that did start are drained. Their handlers were never called, and requesters who wait are told.
        stop.ask();
        handle.enter(Phase::Failed(error.to_string()));
    }
    let shared: Vec<_> = parts.iter().map(|part| Arc::clone(&part.shared)).collect();
    handle.watch(shared.clone());
    if result.is_ok() {
        stop.go_live();
    }
    #[cfg(feature = "telemetry")]
    let _reports = crate::instruments::report(&shared);
    let mut tasks = JoinSet::new();
    let mut flushes = Vec::new();
    for Part { shared, work } in parts {
        for worker in work.workers {
            let name = shared.name.clone();
            tasks.spawn(async move { worker.await.map_err(|error| in_route(&name, error)) });
        }
        flushes.push((shared, work.flush));
    }

    let mut signals = Signals { shutdown: Some(Box::pin(shutdown)), second: None };
    if result.is_ok() {
        handle.enter(Phase::Live);
        let asked = async { race(pin!(signals.first()), stop.asked()).await };
        if let First::Left(ended) = race(pin!(finish(&mut tasks)), asked).await {
            result = ended;
        }
    }
    stop.ask();
    let mut cut = pin!(async { race(pin!(sleep(drain)), signals.second()).await });
    let is_cut = matches!(race(pin!(finish_all(&mut tasks, &mut result)), cut.as_mut()).await, First::Right(_));
    tasks.shutdown().await;
    let over = async {
        sleep(LAST).await;
        if !is_cut {
            cut.await;
        }
    };
    close(flushes, over, &mut result).await;
    let report = |part: &Arc<Shared>| RouteReport { name: part.name.clone(), metrics: part.metrics() };
    let routes: Vec<_> = shared.iter().map(report).collect();
    let withheld = routes.iter().map(|route| route.metrics.in_flight).sum();
    result.map(|()| Report { routes, withheld })
}

/// Starts one route after the other, as far as that goes.
async fn start(
    routes: Vec<(About, Box<dyn Start>)>,
    listener: Option<&Listener>,
    stop: &Arc<Stop>,
    parts: &mut Vec<Part>,
) -> Result<()> {
    for (about, route) in routes {
        let shared = Arc::new(Shared::new(about, Arc::clone(stop), listener.cloned()));
        let started = route.start(Arc::clone(&shared)).await;
        let work = started.map_err(|error| in_route(&shared.name, error))?;
        parts.push(Part { shared, work });
    }
    Ok(())
}

/// Waits until the transports have what was settled and published last, or until it is over.
async fn close(flushes: Vec<(Arc<Shared>, Flush)>, over: impl Future<Output = ()>, result: &mut Result<()>) {
    let hurry = Arc::new(Stop::default());
    let mut tasks = JoinSet::new();
    for (part, flush) in flushes {
        let hurry = Arc::clone(&hurry);
        tasks.spawn(async move {
            let closed = close_one(&part, flush, &hurry).await;
            closed.map_err(|error| in_route(&part.name, error))
        });
    }
    let mut closed = pin!(finish_all(&mut tasks, result));
    if let First::Right(()) = race(closed.as_mut(), over).await {
        hurry.ask();
        closed.await;
    }
}

async fn close_one(part: &Shared, flush: Flush, hurry: &Stop) -> Result<()> {
    let last = pin!(async {
        part.confirm().await;
        flush.await
    });
    match race(last, hurry.asked()).await {
        // Whoever closed the transport has seen to what was in it.
        First::Left(Err(error)) if error.kind() == ErrorKind::Closed => Ok(()),
        First::Left(flushed) => flushed,
        First::Right(()) => {
            let text = "the drain was over before the transport had what was settled and published last";
            Err(Error::new(ErrorKind::TimedOut, text).with_operation("flush"))
        }
    }
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

/// Waits until every worker has ended; the first failure becomes the result, unless there is one.
async fn finish_all(tasks: &mut JoinSet<Result<()>>, result: &mut Result<()>) {
    while !tasks.is_empty() {
        let finished = finish(tasks).await;
        if result.is_ok() {
            *result = finished;
        }
    }
}

fn in_route(name: &str, error: Error) -> Error {
    error.with_context(format!("route `{name}`"))
}
