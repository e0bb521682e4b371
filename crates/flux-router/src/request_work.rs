//! What a worker does with one request: call the handler and answer, whatever happens.

use std::future::{Future, poll_fn};
use std::mem::take;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use flux_core::telemetry::Relation;
use flux_core::{Delivery, Failure, Message, Outcome, RemoteError, Reply, Scope, Stage, Telemetry};
use pin_project_lite::pin_project;

use crate::event::Event;
use crate::fault::Fault;
use crate::guard::{Ended, Silent, caught, guard_waiting, poll_caught, text_of};
use crate::handler::METADATA;
use crate::metrics::{Counters, count};
use crate::shared::Shared;

/// The code of an answer to a request that took longer than the route allows.
const TIMED_OUT: &str = "504";

/// What the workers of a request route work with.
pub(crate) struct Desk<H> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) stage: H,
    pub(crate) max_run: Option<Duration>,
    pub(crate) telemetry: Telemetry,
    pub(crate) wants_metadata: bool,
}

/// Where a worker finds its next request, or the error in its place.
pub(crate) type Slot<Req, A> = Option<flux_core::Result<Delivery<Req, A>>>;

/// One worker of a request route.
pub(crate) struct RequestWork<H> {
    pub(crate) counters: Arc<Counters>,
    desk: Arc<Desk<H>>,
}

impl<H: Send + Sync> RequestWork<H> {
    /// One more worker.
    pub(crate) fn new(desk: &Arc<Desk<H>>) -> Self {
        Self { counters: desk.shared.add_worker(), desk: Arc::clone(desk) }
    }

    /// Answers the request in `slot`, or what could not be read as one. Left there until it is wanted, it is not copied into each future
    /// on the way.
    pub(crate) async fn take<Req, A>(&self, slot: &mut Slot<Req, A>)
    where
        Req: Send + 'static,
        H: Stage<Message<Req>, Error: Into<Failure>>,
        A: Reply<H::Out>,
    {
        self.counters.take();
        match slot {
            Some(Ok(_)) => self.handle(slot).await,
            _ => self.broken(slot).await,
        }
        self.counters.finish();
    }

    async fn handle<Req, A>(&self, slot: &mut Slot<Req, A>)
    where
        Req: Send + 'static,
        H: Stage<Message<Req>, Error: Into<Failure>>,
        A: Reply<H::Out>,
    {
        let Some(Ok(delivery)) = slot.as_mut() else { return };
        let (desk, metadata) = (&*self.desk, take(&mut delivery.metadata));
        let Message { subject, headers, .. } = &delivery.message;
        let (scope, processing) = desk.telemetry.process(subject, headers, Relation::Child);
        let (subject, mut acker) = (subject.clone(), None);
        let sent = {
            let ended = {
                let run = pin!(async {
                    let mut response = pin!(begin(&desk.stage, slot, &mut acker));
                    let response = poll_fn(|cx| response.as_mut().as_pin_mut().map_or(Poll::Pending, |it| it.poll(cx)));
                    let mut answer = Message::to(subject, response.await?);
                    // An answer carries on the request's work, as everything does that a handler sends.
                    Scope::stamp(&mut answer.headers);
                    Ok::<_, H::Error>(answer)
                });
                let run = scope.run(run);
                let mut run = pin!(if desk.wants_metadata {
                    With::Metadata { run: METADATA.scope(metadata, run) }
                } else {
                    With::Nothing { run }
                });
                match poll_fn(|cx| Poll::Ready(poll_caught(run.as_mut(), cx))).await {
                    Poll::Ready(ended) => ended,
                    // In a box, so that a request whose handler does not wait is as small as it can be.
                    Poll::Pending => Box::pin(guard_waiting(run, desk.max_run, &mut Silent)).await,
                }
            };
            let answer = self.conclude(ended);
            match &answer {
                Ok(_) => processing.finish(None),
                Err((class, remote)) => processing.finish(Some((*class, remote))),
            }
            self.counters.complete();
            let Some(acker) = acker else { return };
            acker.reply(answer.map_err(|(_, remote)| remote))
        };
        self.answered(sent.await);
    }

    /// Counts how a handler ended; a failure is an answer too, with its class.
    fn conclude<R, E: Into<Failure>>(&self, ended: Ended<Result<R, E>>) -> Result<R, (&'static str, RemoteError)> {
        let counters = &self.counters;
        match ended {
            Ended::Done(Ok(answer)) => {
                count(&counters.handled);
                Ok(answer)
            }
            Ended::Done(Err(error)) => {
                let (fault, remote) = refusal(error);
                counters.fail(fault.class, fault.then);
                Err((fault.class, remote))
            }
            Ended::Panicked(text) => {
                count(&counters.failed_panic);
                Err(("panic", RemoteError::new(RemoteError::INTERNAL, format!("the handler panicked: {text}"))))
            }
            Ended::TimedOut(limit) => {
                count(&counters.failed_timeout);
                Err(("timeout", RemoteError::new(TIMED_OUT, format!("the handler took longer than {limit:?}"))))
            }
        }
    }

    /// Answers a request that did not decode.
    async fn broken<Req, A>(&self, slot: &mut Slot<Req, A>) {
        let Some(Err(mut error)) = slot.take() else { return };
        self.desk.shared.emit(&Event::Broken { error: &error });
        if let Some(undecodable) = error.take_undecodable() {
            count(&self.counters.undecodable);
            self.counters.complete();
            let reason = text_of(&Failure::permanent(error));
            self.answered(undecodable.settle(Outcome::term(reason)).await);
        }
    }

    fn answered(&self, sent: flux_core::Result<()>) {
        if let Err(error) = sent {
            count(&self.counters.unsettled);
            self.desk.shared.emit(&Event::Unsettled { error: &error });
        }
    }
}

/// Calls the handler with the message in `slot`, and leaves the way back in `acker`. Not in the future that waits for it: a local that is
/// moved from keeps its place there.
fn begin<Req, A, H: Stage<Message<Req>>>(
    stage: &H,
    slot: &mut Slot<Req, A>,
    acker: &mut Option<A>,
) -> Option<impl Future<Output = Result<H::Out, H::Error>> + Send> {
    let delivery = slot.take()?.ok()?;
    *acker = Some(delivery.acker);
    Some(stage.process(delivery.message))
}

pin_project! {
    /// A handler at work, with what it looks for in the task's local storage.
    #[project = Project]
    enum With<M, N> {
        Metadata { #[pin] run: M },
        Nothing { #[pin] run: N },
    }
}

impl<M: Future, N: Future<Output = M::Output>> Future for With<M, N> {
    type Output = M::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<M::Output> {
        match self.project() {
            Project::Metadata { run } => run.poll(cx),
            Project::Nothing { run } => run.poll(cx),
        }
    }
}

/// What the route and the requester are told of an error. The conversion and the text are the user's code too.
fn refusal(error: impl Into<Failure>) -> (Fault, RemoteError) {
    let failure = match caught(|| error.into()) {
        Ok(failure) => failure,
        Err(panic) => {
            let remote = RemoteError::new(RemoteError::INTERNAL, format!("the handler's error panicked: {panic}"));
            return (Fault::retry("panic", panic), remote);
        }
    };
    let remote = caught(|| failure.to_remote());
    let remote = remote.unwrap_or_else(|_| RemoteError::new(RemoteError::INTERNAL, text_of(&failure)));
    (Fault::of(failure), remote)
}
