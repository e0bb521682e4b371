//! The end of a drain: what was said last is brought out, within the time that a drain has.

use std::future::{Future, pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use flux_core::{BoxFuture, Error, ErrorKind, Failure, Message, Requester as _, Responder, Result};
use flux_mem::{Mem, MemReply, MemRequests};
use flux_router::{Answer, Report, RequestRoute, Route, Router, SecondSignal};
use tokio::time::{Instant, sleep};

use crate::double::{Did, Script, idle};
use crate::start;

async fn ok(_: Message<u64>) -> Result<(), Failure> {
    Ok(())
}

fn hangs() -> BoxFuture<'static, Result<()>> {
    Box::pin(pending())
}

/// Half a second, which a peer may take that is there.
fn slow() -> BoxFuture<'static, Result<()>> {
    Box::pin(async {
        sleep(Duration::from_millis(500)).await;
        Ok(())
    })
}

/// How long a router runs from the first of `signals` on, which comes at once, and what comes of it.
async fn drained<F: Future>(router: Router, signals: F) -> (Result<Report>, Duration)
where
    F::Output: Into<SecondSignal>,
{
    let started = Instant::now();
    (router.drain_for(Duration::from_secs(5)).run_until(signals).await, started.elapsed())
}

fn is_cut_short(result: &Result<Report>) -> bool {
    let Err(error) = result else { return false };
    let told = error.to_string();
    error.kind() == ErrorKind::TimedOut && told.starts_with("route `numbers.*`: flush: the drain was over before")
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_away_does_not_prolong_the_drain() {
    let script = Script::flushing(hangs);
    let _kept = script.subscription();
    let (result, took) = drained(Router::new().route("numbers.*", &script, ok), ready(())).await;
    assert!(is_cut_short(&result), "{result:?}");
    assert_eq!(took, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_cuts_the_end_of_a_drain_short_too() {
    let script = Script::flushing(hangs);
    let _kept = script.subscription();
    let signals = ready(SecondSignal::when(sleep(Duration::from_secs(2))));
    let (result, took) = drained(Router::new().route("numbers.*", &script, ok), signals).await;
    assert!(is_cut_short(&result), "{result:?}");
    assert_eq!(took, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn handlers_that_take_all_the_time_leave_a_second_for_what_was_said_last() {
    for (flush, flushed, took) in [(slow as fn() -> _, true, 5_500), (hangs, false, 6_000)] {
        let script = Script::flushing(flush);
        let sender = script.subscription();
        sender.send(script.delivery(1, 1)).unwrap();
        let router = Router::new().route("numbers.*", &script, |_: Message<u64>| pending::<Result<(), Failure>>());
        let (handle, started) = (router.handle(), Instant::now());
        let running = tokio::spawn(router.drain_for(Duration::from_secs(5)).run());
        handle.ready().await.unwrap();
        idle().await;
        handle.stop();
        let result = running.await.unwrap();
        assert_eq!(started.elapsed(), Duration::from_millis(took));
        assert_eq!(result.as_ref().map(|report| report.withheld).ok(), flushed.then_some(1));
        assert_eq!(is_cut_short(&result), !flushed, "{result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn transports_are_flushed_at_the_same_time() {
    let scripts = [Script::flushing(slow), Script::flushing(slow)];
    let kept: Vec<_> = scripts.iter().map(Script::subscription).collect();
    let [one, other] = &scripts;
    let router = Router::new().route("numbers.one", one, ok).route("numbers.other", other, ok);
    let (result, took) = drained(router, ready(())).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(took, Duration::from_millis(500));
    drop(kept);
}

#[tokio::test(start_paused = true)]
async fn a_bus_is_flushed_once_with_its_letters_and_without() {
    let (bus, letters) = (Script::default(), Script::default());
    let kept = [(); 3].map(|()| bus.subscription());
    let route = || Route::new("numbers.*", &bus, ok);
    for (route, expected) in [
        (route(), [1, 0]),
        (route().without_dead_letters(), [2, 0]),
        (route().dead_letters_through(letters.clone()), [3, 1]),
    ] {
        drained(Router::new().add(route), ready(())).await.0.unwrap();
        let flushes = [&bus, &letters].map(|script| script.log().iter().filter(|did| **did == Did::Flushed).count());
        assert_eq!(flushes, expected);
    }
    drop(kept);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_was_closed_has_nothing_left_to_flush() {
    let closed = || -> BoxFuture<'static, Result<()>> { Box::pin(ready(Err(Error::new(ErrorKind::Closed, "")))) };
    let script = Script::flushing(closed);
    let _kept = script.subscription();
    let (result, _) = drained(Router::new().route("numbers.*", &script, ok), ready(())).await;
    assert!(result.is_ok(), "{result:?}");
}

/// A bus whose replies are in a buffer until they are flushed.
#[derive(Clone, Default)]
struct Buffered(Mem, Arc<AtomicU64>);

impl<Req: Send + 'static, Resp: Send + 'static> Responder<Req, Resp> for Buffered {
    type Reply = MemReply<Resp>;
    type Requests = MemRequests<Req, Resp>;

    async fn listen(&self, filter: &str) -> Result<MemRequests<Req, Resp>> {
        self.0.listen(filter).await
    }

    async fn flush_replies(&self) -> Result<()> {
        self.1.fetch_add(1, SeqCst);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_replies_are_flushed() {
    async fn echo(request: Message<u64>) -> Result<u64, Failure> {
        Ok(request.payload)
    }
    async fn answer(request: Message<u64>) -> Result<Answer<u64>, Failure> {
        Ok(Answer::success(request.payload))
    }
    let bus = Buffered::default();
    let router = Router::new().respond("plain", &bus, echo).add(RequestRoute::answering("answering", &bus, answer));
    let (handle, running) = start(router).await;
    for subject in ["plain", "answering"] {
        let answer: u64 = bus.0.request(subject, 7_u64).await.unwrap();
        assert_eq!(answer, 7);
    }
    assert_eq!(bus.1.load(SeqCst), 0);
    handle.stop();
    running.await.unwrap().unwrap();
    assert_eq!(bus.1.load(SeqCst), 2, "for each route");
}
