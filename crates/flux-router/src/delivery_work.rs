//! What a worker does with a delivery that its handler settles by hand: call, watch, count.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use flux_core::telemetry::Relation;
use flux_core::{Delivery, Error, Failure, Outcome, Result, Settle, Stage, Telemetry};

use crate::event::Event;
use crate::fault::Fault;
use crate::guard::{Ended, Silent, guard, text_of};
use crate::metrics::{Counters, count};
use crate::shared::Shared;

/// What one worker works with.
pub(crate) struct DeliveryWork<H> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) stage: Arc<H>,
    pub(crate) max_run: Option<Duration>,
    pub(crate) telemetry: Telemetry,
}

impl<H: Send + Sync> DeliveryWork<H> {
    /// Hands over what was taken, and waits until the handler is done with it.
    pub(crate) async fn handle<T, A>(&self, taken: Result<Delivery<T, A>>)
    where
        A: Settle,
        H: Stage<Delivery<T, A>, Error: Into<Failure>>,
    {
        let delivery = match taken {
            Ok(delivery) => delivery,
            Err(error) => return self.broken(error).await,
        };
        let subject = delivery.message.subject.clone();
        let relation = if delivery.acker.sender_waits() { Relation::Child } else { Relation::Link };
        let (scope, processing) = self.telemetry.process(&subject, &delivery.message.headers, relation);
        let run = pin!(scope.run(self.stage.process(delivery)));
        let fault = match guard(run, self.max_run, &mut Silent).await {
            Ended::Done(Ok(_)) => {
                processing.finish(None);
                count(&self.counters.handled);
                return self.counters.complete();
            }
            Ended::Done(Err(error)) => Fault::of(error),
            Ended::Panicked(text) => Fault::retry("panic", text),
            Ended::TimedOut(limit) => Fault::retry("timeout", format!("the handler took longer than {limit:?}")),
        };
        processing.finish(Some((fault.class, &fault.text)));
        self.counters.fail(fault.class, fault.then);
        self.shared.emit(&Event::Failed { subject: &subject, class: fault.class, reason: &fault.text });
        self.counters.complete();
    }

    /// Terminates what did not decode: delivered again, it would not decode again.
    async fn broken(&self, mut error: Error) {
        self.shared.emit(&Event::Broken { error: &error });
        let Some(undecodable) = error.take_undecodable() else { return };
        count(&self.counters.undecodable);
        self.counters.complete();
        let reason = text_of(&Failure::permanent(error));
        if let Err(error) = undecodable.settle(Outcome::term(reason)).await {
            count(&self.counters.unsettled);
            self.shared.emit(&Event::Unsettled { error: &error });
        }
    }
}
