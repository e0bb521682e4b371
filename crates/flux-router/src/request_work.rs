//! What a worker does with one request: call the handler and answer, whatever happens.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use flux_core::telemetry::Relation;
use flux_core::{Delivery, Error, Failure, Message, Outcome, RemoteError, Reply, Scope, Stage, Telemetry};

use crate::event::Event;
use crate::fault::Fault;
use crate::guard::{Ended, Silent, caught, guard, text_of};
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

    /// Answers one request, or what could not be read as one.
    pub(crate) async fn take<Req, A>(&self, request: flux_core::Result<Delivery<Req, A>>)
    where
        Req: Send + 'static,
        H: Stage<Message<Req>, Error: Into<Failure>>,
        A: Reply<H::Out>,
    {
        self.counters.take();
        match request {
            Ok(request) => self.handle(request).await,
            Err(error) => self.broken(error).await,
        }
        self.counters.finish();
    }

    async fn handle<Req, A>(&self, request: Delivery<Req, A>)
    where
        Req: Send + 'static,
        H: Stage<Message<Req>, Error: Into<Failure>>,
        A: Reply<H::Out>,
    {
        let Delivery { message, metadata, acker, .. } = request;
        let (subject, desk) = (message.subject.clone(), &*self.desk);
        let (scope, processing) = desk.telemetry.process(&message.subject, &message.headers, Relation::Child);
        let stage = &desk.stage;
        let run = pin!(async {
            let response = stage.process(message).await?;
            let mut answer = Message::to(subject, response);
            // An answer carries on the request's work, as everything does that a handler sends.
            Scope::stamp(&mut answer.headers);
            Ok::<_, H::Error>(answer)
        });
        let run = scope.run(run);
        let ended = if desk.wants_metadata {
            guard(pin!(METADATA.scope(metadata, run)), desk.max_run, &mut Silent).await
        } else {
            guard(pin!(run), desk.max_run, &mut Silent).await
        };
        let counters = &self.counters;
        let answer = match ended {
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
        };
        match &answer {
            Ok(_) => processing.finish(None),
            Err((class, remote)) => processing.finish(Some((*class, remote))),
        }
        self.counters.complete();
        let sent = acker.reply(answer.map_err(|(_, remote)| remote)).await;
        self.answered(sent);
    }

    /// Answers a request that did not decode.
    async fn broken(&self, mut error: Error) {
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
