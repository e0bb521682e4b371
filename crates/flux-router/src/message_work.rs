//! What a worker does with one message: call the handler, climb the ladder, give up, settle.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use flux_core::telemetry::Relation;
use flux_core::{
    Delivery, Error, ErrorKind, Failure, FailureClass, Forwarded, Handler, Headers, IntoOutcome as _, Message, Outcome,
    Result, Scope, Settle, Telemetry,
};
use tokio::time::sleep;

use crate::case::Case;
use crate::dead_letter::{DeadLetters, Reason, is_dead_letter};
use crate::event::Event;
use crate::fault::Fault;
use crate::guard::{Acking, Ended, guard, guard_waiting, poll_caught, text_of};
use crate::handler::METADATA;
use crate::metrics::{Counters, count};
use crate::shared::Shared;
use crate::stop::race;
use crate::{Ladder, Undecodable};

/// What one worker of a message route works with.
pub(crate) struct MessageWork<T, H> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) stage: Arc<H>,
    pub(crate) ladder: Ladder,
    pub(crate) max_run: Option<Duration>,
    pub(crate) undecodable: Undecodable,
    pub(crate) dead_letters: Option<Arc<DeadLetters<T>>>,
    pub(crate) telemetry: Telemetry,
    pub(crate) wants_metadata: bool,
}

/// How far up the ladder a message is, within one delivery.
#[derive(Default)]
struct Climbed {
    /// Calls that were repeated at once since the last wait.
    calls: u32,
    /// Waits for another attempt.
    waits: u64,
}

impl<T: Clone + Send + 'static, H: Handler<T>> MessageWork<T, H> {
    /// Handles what was taken to its end, and settles it.
    pub(crate) async fn handle<A: Settle>(&mut self, taken: &mut Option<Result<Case<T, A>>>) -> Result<()> {
        if let Some(Ok(case)) = taken {
            let mut climbed = Climbed::default();
            let outcome = loop {
                match self.call(case).await {
                    Ok(outcome) => break self.succeed(outcome),
                    Err(fault) => {
                        if let Some(outcome) = self.climb(case, &fault, &mut climbed).await {
                            break outcome;
                        }
                    }
                }
            };
            self.settle(case.acker.take(), outcome).await;
            *taken = None;
        } else if let Some(Err(error)) = taken.take() {
            self.broken(error).await?;
        }
        Ok(())
    }

    /// Gives up a message that the handler is never called with.
    pub(crate) async fn refuse<A: Settle>(&mut self, taken: &mut Option<Result<Case<T, A>>>, fault: Fault) {
        if let Some(Ok(case)) = taken {
            self.counters.fail(fault.class, fault.then);
            let outcome = self.give_up(case, case.attempt(), &fault).await;
            self.settle(case.acker.take(), outcome).await;
            *taken = None;
        }
    }

    /// After a failure, the next step of the ladder: `None` when the handler is to be called again.
    async fn climb<A: Settle>(&self, case: &mut Case<T, A>, fault: &Fault, climbed: &mut Climbed) -> Option<Outcome> {
        let attempt = case.attempt() + climbed.waits;
        if fault.climbs() && climbed.calls + 1 < self.ladder.in_place {
            climbed.calls += 1;
        } else if fault.climbs() && !case.redelivers() && attempt < u64::from(self.ladder.attempts) {
            self.wait(self.delay(fault, attempt)).await;
            *climbed = Climbed { calls: 0, waits: climbed.waits + 1 };
        } else {
            return Some(self.fail(case, attempt, fault).await);
        }
        count(&self.counters.retried);
        None
    }

    /// Calls the handler once, with the payload or, when it may be needed again, with a copy.
    async fn call<A: Settle>(&mut self, case: &mut Case<T, A>) -> Result<Outcome, Fault> {
        self.check_attempt(case)?;
        let keep = self.keeps(case);
        let Case { subject, headers, payload, metadata, acker, .. } = case;
        let waits = acker.as_ref().is_some_and(Settle::sender_waits);
        let relation = if waits { Relation::Child } else { Relation::Link };
        let (scope, processing) = self.telemetry.process(subject, headers, relation);
        let stage = &*self.stage;
        // The handler's future is made where it stays, so that the message is not moved through every layer around it.
        let run = pin!(async {
            let message = Message {
                subject: subject.clone(),
                headers: headers.clone(),
                payload: match payload {
                    Some(payload) if keep => payload.clone(),
                    payload => payload.take().expect("the payload is there as long as the handler may be called"),
                },
            };
            let out = stage.process(message).await?;
            Ok::<_, H::Error>(out.into_outcome())
        });
        let mut run = pin!(scope.run(run));
        let mut heart = Acking(acker.as_mut(), metadata);
        let ended = if self.wants_metadata {
            guard(pin!(METADATA.scope(metadata.clone(), run)), self.max_run, &mut heart).await
        } else {
            match poll_fn(|cx| Poll::Ready(poll_caught(run.as_mut(), cx))).await {
                Poll::Ready(ended) => ended,
                Poll::Pending => guard_waiting(run, self.max_run, &mut heart).await,
            }
        };
        let fault = match ended {
            Ended::Done(Ok(outcome)) => {
                processing.finish(None);
                return Ok(outcome);
            }
            Ended::Done(Err(error)) => Fault::of(error),
            Ended::Panicked(text) => Fault::retry("panic", text),
            Ended::TimedOut(limit) => Fault::retry("timeout", format!("the handler took longer than {limit:?}")),
        };
        processing.finish(Some((fault.class, &fault.text)));
        self.counters.fail(fault.class, fault.then);
        Err(fault)
    }

    /// Earlier attempts may have ended without a word, when the process died or the time to settle ran out.
    fn check_attempt<A: Settle>(&self, case: &Case<T, A>) -> Result<(), Fault> {
        if !case.redelivers() || case.attempt() <= u64::from(self.ladder.attempts) {
            return Ok(());
        }
        let text = format!("delivered {} times without being settled", case.attempt());
        Err(Fault::permanent("exhausted", text))
    }

    /// Whether the payload may be needed after the handler was called with it.
    fn keeps<A: Settle>(&self, case: &Case<T, A>) -> bool {
        self.ladder.in_place > 1
            || (self.ladder.attempts > 1 && !case.redelivers())
            || (self.dead_letters.is_some() && case.original.is_none())
    }

    /// Handles a delivery that is not a message of this route's type.
    async fn broken(&self, mut error: Error) -> Result<()> {
        let Some(undecodable) = error.take_undecodable() else {
            self.shared.emit(&Event::Broken { error: &error });
            return Ok(());
        };
        count(&self.counters.undecodable);
        self.emit(&undecodable.message.headers, &Event::Broken { error: &error });
        let fault = Fault::permanent("undecodable", text_of(&Failure::permanent(error)));
        let Delivery { message, metadata, acker, .. } = *undecodable;
        let Message { subject, headers, payload } = message;
        match self.undecodable {
            Undecodable::DeadLetter => {
                let mut case = Case {
                    subject,
                    headers,
                    payload: None::<T>,
                    original: Some(payload),
                    metadata,
                    acker: Some(acker),
                };
                let attempt = case.attempt();
                let outcome = self.give_up(&mut case, attempt, &fault).await;
                self.settle(case.acker, outcome).await;
                Ok(())
            }
            Undecodable::Drop => {
                self.settle(Some(acker), Outcome::term(fault.text)).await;
                Ok(())
            }
            Undecodable::Stop => {
                let message = format!("a message did not decode, and the route stops at such: {}", fault.text);
                Err(Error::new(ErrorKind::Codec, message).with_operation("handle").with_subject(subject))
            }
        }
    }

    fn succeed(&self, outcome: Outcome) -> Outcome {
        if matches!(outcome, Outcome::Nak | Outcome::NakAfter(_)) {
            count(&self.counters.retried);
        } else {
            count(&self.counters.handled);
        }
        outcome
    }

    async fn fail<A: Settle>(&self, case: &mut Case<T, A>, attempt: u64, fault: &Fault) -> Outcome {
        if fault.then == FailureClass::Drop {
            Outcome::Ack
        } else if fault.climbs() && case.comes_again() && attempt < u64::from(self.ladder.attempts) {
            count(&self.counters.retried);
            Outcome::NakAfter(self.delay(fault, attempt))
        } else {
            self.give_up(case, attempt, fault).await
        }
    }

    /// Stores a dead letter, and only then lets the transport forget the message.
    async fn give_up<A: Settle>(&self, case: &mut Case<T, A>, attempt: u64, fault: &Fault) -> Outcome {
        if self.dead_letters.is_some() && is_dead_letter(&case.headers) {
            let why = Error::new(ErrorKind::Unsupported, "it is one itself, and none is made of one");
            return self.lose(case, fault, Some(&why));
        }
        let Some((letters, given_up)) = self.dead_letters.as_ref().zip(case.give_up()) else {
            return self.lose(case, fault, None);
        };
        let reason = Reason { class: fault.class, text: &fault.text, attempts: attempt, route: &self.shared.name };
        let letter = letters.address(given_up, &reason, &case.metadata);
        match self.store(letters, letter, case).await {
            Ok(()) => {
                count(&self.counters.dead_lettered);
                let (subject, class, reason) = (&case.subject, fault.class, fault.text.as_str());
                self.emit(&case.headers, &Event::DeadLettered { subject, class, reason });
                Outcome::Ack
            }
            Err(error) => {
                self.emit(&case.headers, &Event::NotDeadLettered { subject: &case.subject, error: Some(&error) });
                count(if case.comes_again() { &self.counters.retried } else { &self.counters.lost });
                Outcome::NakAfter(self.ladder.delay(u32::try_from(attempt).unwrap_or(u32::MAX)))
            }
        }
    }

    /// Stores a dead letter; until that is done the transport is told that the message is being worked on. If the transport delivers
    /// it no more, nobody else will have it: then it is held until it is stored, or the route is to stop.
    async fn store<A: Settle>(
        &self,
        letters: &DeadLetters<T>,
        letter: Message<Forwarded<T>>,
        case: &mut Case<T, A>,
    ) -> Result<()> {
        let is_last = case.redelivers() && !case.comes_again();
        let Case { subject, headers, metadata, acker, .. } = case;
        let storing = pin!(async move {
            let mut attempt = 0;
            loop {
                let stored = letters.store(letter.clone()).await;
                match &stored {
                    Err(error) if is_last && !self.shared.stop.is_asked() => {
                        attempt += 1;
                        count(&self.counters.retried);
                        self.emit(headers, &Event::NotDeadLettered { subject, error: Some(error) });
                        self.wait(self.ladder.delay(attempt)).await;
                    }
                    _ => return stored,
                }
            }
        });
        match guard(storing, None, &mut Acking(acker.as_mut(), metadata)).await {
            Ended::Done(stored) => stored,
            Ended::Panicked(text) => {
                Err(Error::new(ErrorKind::Other, format!("the publisher of dead letters panicked: {text}")))
            }
            // There is no limit: the transport behind the publisher has its own.
            Ended::TimedOut(_) => Err(Error::new(ErrorKind::TimedOut, "the dead letter took too long to store")),
        }
    }

    /// Gives a message up for which there is no dead letter.
    fn lose<A: Settle>(&self, case: &Case<T, A>, fault: &Fault, error: Option<&Error>) -> Outcome {
        count(&self.counters.lost);
        self.emit(&case.headers, &Event::NotDeadLettered { subject: &case.subject, error });
        Outcome::term(fault.text.clone())
    }

    /// Tells of a message in its trace: its handler's span is over by then.
    fn emit(&self, headers: &Headers, event: &Event<'_>) {
        Scope::continuing(headers).enter(|| self.shared.emit(event));
    }

    async fn settle<A: Settle>(&self, acker: Option<A>, outcome: Outcome) {
        self.counters.complete();
        let Some(acker) = acker else { return };
        if let Err(error) = acker.settle(outcome).await {
            count(&self.counters.unsettled);
            self.shared.emit(&Event::Unsettled { error: &error });
        }
    }

    fn delay(&self, fault: &Fault, attempt: u64) -> Duration {
        let delay = self.ladder.delay(u32::try_from(attempt).unwrap_or(u32::MAX));
        match fault.then {
            FailureClass::RetryAfter(at_least) => delay.max(at_least),
            _ => delay,
        }
    }

    /// Waits before the next call in place; a drain does not wait.
    async fn wait(&self, delay: Duration) {
        let _ = race(pin!(sleep(delay)), self.shared.stop.asked()).await;
    }
}
