//! Request routes on transports that call the handler where a request arrives.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use flux_core::__private::PerThread;
use flux_core::{
    BoxFuture, Error, ErrorKind, Failure, Message, OnArrival, Registration, RemoteError, Reply, Responder, Result,
    Stage,
};
use tokio::time::{sleep, timeout};

use crate::event::Event;
use crate::request_work::{Desk, RequestWork, Slot};
use crate::shared::Shared;
use crate::source::{Subscribe, renew};
use crate::stop::{First, Stop, race};

/// For how many calls the `nth` one of a worker is measured. A look at the clock for each would cost as much as what it measures.
const fn weight(nth: u64) -> u32 {
    match (nth, nth % 8) {
        (..64, _) => 1,
        (_, 0) => 8,
        _ => 0,
    }
}

/// The code of an answer to a request that a paused route kept until it had to stop.
const UNAVAILABLE: &str = "503";

/// How long calls that were cut may take to end: each is to be polled once more.
const LAST_CALLS: Duration = Duration::from_secs(1);

/// A route that its transport calls.
pub(crate) struct Opened {
    /// Watches over the registration until the route is to stop.
    pub(crate) watching: BoxFuture<'static, Result<()>>,
    /// Once the watch is over or dropped: done when no call is under way any more, or after a second.
    pub(crate) ended: BoxFuture<'static, ()>,
}

/// Registers the route with its transport; `None` where the transport calls nobody.
pub(crate) async fn open<Req, B, H>(desk: &Arc<Desk<H>>, bus: B, concurrency: usize) -> Result<Option<Opened>>
where
    Req: Send + 'static,
    H: Stage<Message<Req>, Out: Send + 'static, Error: Into<Failure>> + 'static,
    B: Responder<Req, H::Out> + Clone + 'static,
{
    let shared = Arc::clone(&desk.shared);
    let held = Held { registration: Arc::default(), cut: Arc::default() };
    let pool = Arc::new(Pool { idle: PerThread::new(Mutex::default), made: AtomicUsize::new(0), most: concurrency });
    let crews = PerThread::new(|| Crew { desk: Arc::clone(desk), pool: Arc::clone(&pool), cut: Arc::clone(&held.cut) });
    let on_arrival: OnArrival<Req, B::Reply> = Arc::new(move |request| {
        let (crew, mut slot) = (Arc::clone(crews.here()), Some(request));
        Box::pin(async move {
            let mut call = pin!(crew.take(&mut slot));
            // There once the call has to wait.
            let mut cut: Option<BoxFuture<'static, ()>> = None;
            poll_fn(|cx| {
                if call.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                // A call that is cut stays in flight: it is withheld, not done.
                cut.get_or_insert_with(|| asked(Arc::clone(&crew.cut))).as_mut().poll(cx)
            })
            .await;
        })
    });
    let filter = shared.filter.clone();
    let register: Subscribe<Option<Registration>> = Box::new(move || {
        let (bus, filter, on_arrival) = (bus.clone(), filter.clone(), Arc::clone(&on_arrival));
        Box::pin(async move { bus.listen_inline(filter.as_str(), concurrency, on_arrival).await })
    });
    let Some(registration) = register().await? else { return Ok(None) };
    shared.emit(&Event::Live);
    let last = Arc::clone(&held.registration);
    let ended = async move {
        let registration = last.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut registration) = registration {
            // Handlers that block their thread are not waited for.
            let _ = timeout(LAST_CALLS, registration.ended()).await;
        }
    };
    held.keep(registration);
    Ok(Some(Opened { watching: Box::pin(watch(shared, register, held)), ended: Box::pin(ended) }))
}

/// Waits until the route is asked to stop, and registers it again when its transport has lost it.
async fn watch(shared: Arc<Shared>, register: Subscribe<Option<Registration>>, held: Held) -> Result<()> {
    loop {
        let first = race(pin!(poll_fn(|cx| held.poll_ended(cx))), shared.stop.asked()).await;
        if let First::Right(()) = first {
            held.with(Registration::withdraw);
            poll_fn(|cx| held.poll_ended(cx)).await;
            return Ok(());
        }
        match renew(&shared, &register).await? {
            Some(Some(registration)) => held.keep(registration),
            Some(None) => {
                let text = "the transport no longer calls handlers";
                return Err(Error::new(ErrorKind::Unsupported, text).with_operation("listen"));
            }
            None => return Ok(()),
        }
        shared.emit(&Event::Live);
        // A transport that loses each registration at once must not be asked in a hot loop.
        sleep(Duration::from_millis(10)).await;
    }
}

/// A registration, and what ends its calls. They end with the future that watches over it.
struct Held {
    registration: Arc<Mutex<Option<Registration>>>,
    cut: Arc<Stop>,
}

impl Held {
    fn keep(&self, registration: Registration) {
        *self.registration.lock().unwrap_or_else(PoisonError::into_inner) = Some(registration);
    }

    fn with<R>(&self, work: impl FnOnce(&mut Registration) -> R) -> Option<R> {
        self.registration.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(work)
    }

    fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.with(|registration| pin!(registration.ended()).poll(cx)).unwrap_or(Poll::Ready(()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.cut.ask();
        self.with(Registration::withdraw);
    }
}

/// The workers of a route that have nothing to do; each call takes one. Every thread has its own first, so that what one works with
/// stays near its processor.
struct Pool<H> {
    idle: PerThread<Mutex<Vec<RequestWork<H>>>>,
    made: AtomicUsize,
    /// As many calls are under way at once, and no more.
    most: usize,
}

impl<H: Send + Sync> Pool<H> {
    fn take(&self, desk: &Arc<Desk<H>>) -> RequestWork<H> {
        if let Some(work) = pop(self.idle.here()) {
            return work;
        }
        // One that another thread has left is taken before there are more of them than calls.
        let is_spent = self.made.load(Ordering::Relaxed) >= self.most;
        let left = if is_spent { self.idle.all().iter().find_map(|idle| pop(idle)) } else { None };
        left.unwrap_or_else(|| {
            self.made.fetch_add(1, Ordering::Relaxed);
            RequestWork::new(desk)
        })
    }

    fn put_back(&self, work: RequestWork<H>) {
        self.idle.here().lock().unwrap_or_else(PoisonError::into_inner).push(work);
    }
}

fn pop<W>(idle: &Mutex<Vec<W>>) -> Option<W> {
    idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

/// What the calls on one thread share, and no other thread writes to.
struct Crew<H> {
    desk: Arc<Desk<H>>,
    pool: Arc<Pool<H>>,
    cut: Arc<Stop>,
}

impl<H: Send + Sync> Crew<H> {
    async fn take<Req, A>(&self, slot: &mut Slot<Req, A>)
    where
        Req: Send + 'static,
        H: Stage<Message<Req>, Error: Into<Failure>>,
        A: Reply<H::Out>,
    {
        let shared = &self.desk.shared;
        if shared.is_held() {
            shared.released().await;
            if shared.is_held() {
                // It is to stop; the requester may find another.
                if let Some(Ok(request)) = slot.take() {
                    let remote = RemoteError::new(UNAVAILABLE, "the route is held back, and stops");
                    let _ = request.acker.reply(Err(remote)).await;
                }
                return;
            }
            if slot.as_ref().is_some_and(|request| request.as_ref().is_ok_and(|it| !it.acker.is_wanted())) {
                // Its requester has given up meanwhile, and may have asked again.
                return;
            }
        }
        let work = self.pool.take(&self.desk);
        let weight = weight(work.counters.completed());
        let started = (weight > 0).then(Instant::now);
        work.take(slot).await;
        if let Some(started) = started {
            work.counters.took(started.elapsed() * weight);
        }
        self.pool.put_back(work);
    }
}

fn asked(stop: Arc<Stop>) -> BoxFuture<'static, ()> {
    Box::pin(async move { stop.asked().await })
}
