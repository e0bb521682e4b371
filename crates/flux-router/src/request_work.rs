//! What a worker does with one request: call the handler and answer, whatever happens.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use flux_core::telemetry::Relation;
use flux_core::{Delivery, Error, Failure, Message, Outcome, RemoteError, Reply, Stage, Telemetry};

use crate::event::Event;
use crate::guard::{Ended, Silent, guard};
use crate::handler::METADATA;
use crate::metrics::{Counters, count};
use crate::shared::Shared;

/// The code of an answer to a request that took longer than the route allows.
const TIMED_OUT: &str = "504";

/// What one worker of a request route works with.
pub(crate) struct RequestWork<H> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) stage: Arc<H>,
    pub(crate) max_run: Option<Duration>,
    pub(crate) telemetry: Telemetry,
    pub(crate) wants_metadata: bool,
}

impl<H: Send + Sync> RequestWork<H> {
    /// Answers one request.
    pub(crate) async fn handle<Req, A>(&mut self, request: Delivery<Req, A>)
    where
        Req: Send + 'static,
        H: Stage<Message<Req>, Error: Into<Failure>>,
        A: Reply<H::Out>,
    {
        let Delivery { message, metadata, acker, .. } = request;
        let subject = message.subject.clone();
        let (scope, processing) = self.telemetry.process(&message.subject, &message.headers, Relation::Child);
        let stage = &*self.stage;
        let run = pin!(async { stage.process(message).await });
        let run = scope.run(run);
        let ended = if self.wants_metadata {
            guard(pin!(METADATA.scope(metadata, run)), self.max_run, &mut Silent).await
        } else {
            guard(pin!(run), self.max_run, &mut Silent).await
        };
        let counters = &self.counters;
        let answer = match ended {
            Ended::Done(Ok(response)) => {
                count(&counters.handled);
                Ok(Message::to(subject, response))
            }
            Ended::Done(Err(error)) => {
                let failure: Failure = error.into();
                count(&counters.failed_retry);
                Err((failure.class().as_str(), failure.to_remote()))
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
    pub(crate) async fn broken(&mut self, mut error: Error) {
        self.shared.emit(&Event::Broken { error: &error });
        if let Some(undecodable) = error.take_undecodable() {
            count(&self.counters.undecodable);
            self.counters.complete();
            let reason = Failure::permanent(error).to_string();
            self.answered(undecodable.settle(Outcome::term(reason)).await);
        }
    }

    fn answered(&self, sent: flux_core::Result<()>) {
        if let Err(error) = sent {
            count(&self.counters.unsettled);
            self.shared.emit(&Event::Unsettled { error: &error });
        }
    }
}
