//! Request routes on transports that call the handler where a request arrives.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use flux_core::__private::PerThread;
use flux_core::{BoxFuture, Failure, Message, OnArrival, Registration, RemoteError, Reply, Responder, Result, Stage};
use pin_project_lite::pin_project;
use tokio::time::sleep;

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

/// Registers the route with its transport, and returns what watches over it; `None` where the transport calls nobody.
pub(crate) async fn open<Req, B, H>(
    desk: &Arc<Desk<H>>,
    bus: B,
    concurrency: usize,
) -> Result<Option<BoxFuture<'static, Result<()>>>>
where
    Req: Send + 'static,
    H: Stage<Message<Req>, Out: Send + 'static, Error: Into<Failure>> + 'static,
    B: Responder<Req, H::Out> + Clone + 'static,
{
    let shared = Arc::clone(&desk.shared);
    let cut = Cut(Arc::default());
    let crews = PerThread::new(|| Crew { desk: Arc::clone(desk), idle: Mutex::default(), cut: Arc::clone(&cut.0) });
    let on_arrival: OnArrival<Req, B::Reply> = Arc::new(move |request| {
        let (crew, mut slot) = (Arc::clone(crews.here()), Some(request));
        let watched = Arc::clone(&crew);
        Box::pin(UntilCut { call: async move { crew.take(&mut slot).await }, crew: watched, asked: None })
    });
    let filter = shared.filter.clone();
    let register: Subscribe<Option<Registration>> = Box::new(move || {
        let (bus, filter, on_arrival) = (bus.clone(), filter.clone(), Arc::clone(&on_arrival));
        Box::pin(async move { bus.listen_inline(filter.as_str(), concurrency, on_arrival).await })
    });
    let Some(registration) = register().await? else { return Ok(None) };
    shared.emit(&Event::Live);
    Ok(Some(Box::pin(watch(shared, registration, register, cut))))
}

/// Waits until the route is asked to stop, and registers it again when its transport has lost it.
async fn watch(
    shared: Arc<Shared>,
    mut registration: Registration,
    register: Subscribe<Option<Registration>>,
    _cut: Cut,
) -> Result<()> {
    loop {
        let first = race(pin!(registration.ended()), shared.stop.asked()).await;
        if let First::Right(()) = first {
            registration.withdraw();
            registration.ended().await;
            return Ok(());
        }
        let Some(again) = renew(&shared, &register).await?.flatten() else { return Ok(()) };
        registration = again;
        shared.emit(&Event::Live);
        // A transport that loses each registration at once must not be asked in a hot loop.
        sleep(Duration::from_millis(10)).await;
    }
}

/// Ends every call with the future that watches over them.
struct Cut(Arc<Stop>);

impl Drop for Cut {
    fn drop(&mut self) {
        self.0.ask();
    }
}

/// Workers of a route; each call takes one. Every thread has its own: what one works with stays near its processor.
struct Crew<H> {
    desk: Arc<Desk<H>>,
    idle: Mutex<Vec<RequestWork<H>>>,
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
        if shared.is_paused() {
            shared.resumed().await;
        }
        if shared.is_paused() {
            // It is to stop; the requester may find another.
            if let Some(Ok(request)) = slot.take() {
                let remote = RemoteError::new(UNAVAILABLE, "the route was paused, and stops");
                let _ = request.acker.reply(Err(remote)).await;
            }
            return;
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let work = idle.unwrap_or_else(|| RequestWork::new(&self.desk));
        let weight = weight(work.counters.completed());
        let started = (weight > 0).then(Instant::now);
        work.take(slot).await;
        if let Some(started) = started {
            work.counters.took(started.elapsed() * weight);
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(work);
    }
}

pin_project! {
    /// A call that ends when it is cut. It stays in flight then: it is withheld, not done.
    struct UntilCut<F, H> {
        #[pin]
        call: F,
        crew: Arc<Crew<H>>,
        // There once the call has to wait.
        asked: Option<BoxFuture<'static, ()>>,
    }
}

impl<F: Future<Output = ()>, H> Future for UntilCut<F, H> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.call.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let asked = this.asked.get_or_insert_with(|| {
            let cut = Arc::clone(&this.crew.cut);
            Box::pin(async move { cut.asked().await })
        });
        asked.as_mut().poll(cx)
    }
}
