//! What a worker does with one message: call the handler, climb the ladder, give up, settle.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flux_core::telemetry::Relation;
use flux_core::{
    Delivery, Error, ErrorKind, Failure, FailureClass, Forwarded, Handler, Headers, IntoOutcome as _, Message,
    Metadata, Outcome, Settle, Subject, Telemetry, header,
};
use tokio::time::sleep;

use crate::dead_letter::{DeadLetters, GivenUp, Reason, is_dead_letter};
use crate::event::Event;
use crate::guard::{Acking, Ended, Limits, guard};
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

/// One delivery on its way through the handler.
struct Case<T> {
    /// What the handler consumes and may be needed again.
    kept: Kept<T>,
    metadata: Metadata,
    attempt: u64,
}

/// What is kept of a message while its handler runs.
enum Kept<T> {
    /// A copy, to call the handler again.
    Copy(Message<T>),
    /// Enough for a dead letter.
    Letter(GivenUp<T>),
    /// What it was; there is nowhere to put a dead letter.
    About(Subject, Headers),
}

impl<T> Kept<T> {
    fn about(&self) -> (&Subject, &Headers) {
        match self {
            Self::Copy(message) => (&message.subject, &message.headers),
            Self::Letter(letter) => (&letter.subject, &letter.headers),
            Self::About(subject, headers) => (subject, headers),
        }
    }
}

/// How a handler call failed.
struct Fault {
    class: &'static str,
    text: String,
    then: FailureClass,
}

impl<T: Clone + Send + 'static, H: Handler<T>> MessageWork<T, H> {
    /// Handles one delivery to its end.
    pub(crate) async fn handle<A: Settle>(&mut self, delivery: Delivery<T, A>) {
        let Delivery { message, metadata, original, mut acker, .. } = delivery;
        let redelivers = acker.redelivers();
        let attempt = attempt_of(&metadata, &message.headers);
        let repeats = self.ladder.in_place > 1 || (!redelivers && self.ladder.attempts > 1);
        let kept = self.keep(&message, original, repeats);
        let mut case = Case { kept, metadata, attempt };
        if redelivers && attempt > u64::from(self.ladder.attempts) {
            // Earlier attempts ended without a word: the process died, or the time to settle ran out.
            let fault = Fault::permanent("exhausted", format!("delivered {attempt} times without being settled"));
            return self.give_up(case, acker, &fault).await;
        }
        let (mut message, mut calls) = (Some(message), 1);
        loop {
            let fault = match self.call(&mut message, &mut case, &mut acker).await {
                Ok(outcome) => return self.succeed(outcome, acker).await,
                Err(fault) => fault,
            };
            let at_once = fault.climbs() && calls < self.ladder.in_place;
            let later = fault.climbs() && !redelivers && case.attempt < u64::from(self.ladder.attempts);
            if at_once {
                calls += 1;
            } else if later {
                self.wait(self.delay(&fault, case.attempt)).await;
                case.attempt += 1;
                calls = 1;
            }
            message = match &case.kept {
                Kept::Copy(copy) if at_once || later => Some(copy.clone()),
                _ => return self.fail(case, acker, &fault).await,
            };
            count(&self.counters.retried);
        }
    }

    /// Handles a delivery that is not a message of this route's type.
    pub(crate) async fn broken(&self, mut error: Error) -> Result<(), Error> {
        let Some(undecodable) = error.take_undecodable() else {
            self.shared.emit(&Event::Broken { error: &error });
            return Ok(());
        };
        count(&self.counters.undecodable);
        self.shared.emit(&Event::Broken { error: &error });
        let Delivery { message, metadata, acker, .. } = *undecodable;
        let subject = message.subject.clone();
        let fault = Fault::permanent("undecodable", Failure::permanent(error).to_string());
        match self.undecodable {
            Undecodable::DeadLetter => {
                let attempt = attempt_of(&metadata, &message.headers);
                let (rest, payload) = message.take();
                let (subject, headers) = (rest.subject, rest.headers);
                let kept = Kept::Letter(GivenUp { subject, headers, payload: Forwarded::Encoded(payload) });
                let case = Case { kept, metadata, attempt };
                self.give_up(case, acker, &fault).await;
                Ok(())
            }
            Undecodable::Drop => {
                self.counters.complete();
                self.settle(acker, Outcome::term(fault.text)).await;
                Ok(())
            }
            Undecodable::Stop => {
                let message = format!("a message did not decode, and the route stops at such: {}", fault.text);
                Err(Error::new(ErrorKind::Codec, message).with_operation("handle").with_subject(subject))
            }
        }
    }

    /// Keeps what the handler consumes and may be needed again.
    fn keep(&self, message: &Message<T>, original: Option<Bytes>, repeats: bool) -> Kept<T> {
        if repeats {
            return Kept::Copy(message.clone());
        }
        if self.dead_letters.is_none() {
            return Kept::About(message.subject.clone(), message.headers.clone());
        }
        let payload = original.map_or_else(|| Forwarded::Value(message.payload.clone()), Forwarded::Encoded);
        Kept::Letter(GivenUp { subject: message.subject.clone(), headers: message.headers.clone(), payload })
    }

    /// Calls the handler once with the message, which is there.
    async fn call<A: Settle>(
        &mut self,
        message: &mut Option<Message<T>>,
        case: &mut Case<T>,
        acker: &mut A,
    ) -> Result<Outcome, Fault> {
        let (subject, headers) = case.kept.about();
        let (scope, processing) = self.telemetry.process(subject, headers, Relation::Link);
        let stage = &*self.stage;
        let limits = Limits { max_run: self.max_run, ack_wait: case.metadata.ack_wait };
        // The handler's future is made where it stays, so the message is moved once and not through every layer around it.
        let run = pin!(async {
            let message = message.take().expect("the message is there when its handler is called");
            stage.process(message).await
        });
        let run = scope.run(run);
        let ended = if self.wants_metadata {
            guard(pin!(METADATA.scope(case.metadata.clone(), run)), limits, &mut Acking(acker)).await
        } else {
            guard(pin!(run), limits, &mut Acking(acker)).await
        };
        let fault = match ended {
            Ended::Done(Ok(out)) => {
                processing.finish(None);
                return Ok(out.into_outcome());
            }
            Ended::Done(Err(error)) => Fault::of(&error.into()),
            Ended::Panicked(text) => Fault { class: "panic", text, then: FailureClass::Retry },
            Ended::TimedOut(limit) => {
                let text = format!("the handler took longer than {limit:?}");
                Fault { class: "timeout", text, then: FailureClass::Retry }
            }
        };
        processing.finish(Some((fault.class, &fault.text)));
        self.tally(&fault);
        Err(fault)
    }

    async fn succeed<A: Settle>(&self, outcome: Outcome, acker: A) {
        if matches!(outcome, Outcome::Nak | Outcome::NakAfter(_)) {
            count(&self.counters.retried);
        } else {
            count(&self.counters.handled);
        }
        self.counters.complete();
        self.settle(acker, outcome).await;
    }

    async fn fail<A: Settle>(&self, case: Case<T>, acker: A, fault: &Fault) {
        if fault.then == FailureClass::Drop {
            self.counters.complete();
            self.settle(acker, Outcome::Ack).await;
        } else if fault.climbs() && acker.redelivers() && case.attempt < u64::from(self.ladder.attempts) {
            count(&self.counters.retried);
            self.counters.complete();
            self.settle(acker, Outcome::NakAfter(self.delay(fault, case.attempt))).await;
        } else {
            self.give_up(case, acker, fault).await;
        }
    }

    /// Stores a dead letter, and only then lets the transport forget the message.
    async fn give_up<A: Settle>(&self, case: Case<T>, acker: A, fault: &Fault) {
        let Case { kept, metadata, attempt } = case;
        let given_up = match kept {
            Kept::Copy(copy) => {
                let (rest, payload) = copy.take();
                GivenUp { subject: rest.subject, headers: rest.headers, payload: Forwarded::Value(payload) }
            }
            Kept::Letter(given_up) => given_up,
            Kept::About(subject, _) => return self.lose(&subject, acker, fault).await,
        };
        let subject = given_up.subject.clone();
        let (Some(letters), false) = (&self.dead_letters, is_dead_letter(&given_up.headers)) else {
            return self.lose(&subject, acker, fault).await;
        };
        let reason = Reason { class: fault.class, text: &fault.text, attempts: attempt, route: &self.shared.name };
        let stored = match letters.address(given_up, &reason, &metadata) {
            Ok(letter) => letters.store(letter).await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(()) => {
                count(&self.counters.dead_lettered);
                self.shared.emit(&Event::DeadLettered { subject: &subject, reason: &fault.text });
                self.counters.complete();
                self.settle(acker, Outcome::Ack).await;
            }
            Err(error) => {
                self.shared.emit(&Event::NotDeadLettered { subject: &subject, error: Some(&error) });
                if acker.redelivers() {
                    count(&self.counters.retried);
                } else {
                    count(&self.counters.lost);
                }
                self.counters.complete();
                let step = u32::try_from(attempt).unwrap_or(u32::MAX);
                self.settle(acker, Outcome::NakAfter(self.ladder.delay(step))).await;
            }
        }
    }

    /// Gives a message up for which there is no dead letter.
    async fn lose<A: Settle>(&self, subject: &Subject, acker: A, fault: &Fault) {
        count(&self.counters.lost);
        self.shared.emit(&Event::NotDeadLettered { subject, error: None });
        self.counters.complete();
        self.settle(acker, Outcome::term(fault.text.clone())).await;
    }

    async fn settle<A: Settle>(&self, acker: A, outcome: Outcome) {
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

    fn tally(&self, fault: &Fault) {
        let counters = &self.counters;
        count(match (fault.class, fault.then) {
            ("panic", _) => &counters.failed_panic,
            ("timeout", _) => &counters.failed_timeout,
            (_, FailureClass::Drop) => &counters.failed_drop,
            (_, FailureClass::Permanent) => &counters.failed_permanent,
            _ => &counters.failed_retry,
        });
    }
}

impl Fault {
    /// Whether the message is to be tried again.
    fn climbs(&self) -> bool {
        matches!(self.then, FailureClass::Retry | FailureClass::RetryAfter(_))
    }

    fn of(failure: &Failure) -> Self {
        Self { class: failure.class().as_str(), text: failure.to_string(), then: failure.class() }
    }

    fn permanent(class: &'static str, text: String) -> Self {
        Self { class, text, then: FailureClass::Permanent }
    }
}

/// Which attempt this is, from 1: the transport counts where it can, the header where it was published again.
fn attempt_of(metadata: &Metadata, headers: &Headers) -> u64 {
    let counted = metadata.delivered.unwrap_or(1);
    let earlier = headers.get(&header::RETRY_COUNT).filter(|_| !is_dead_letter(headers));
    counted + earlier.and_then(|count| count.parse::<u64>().ok()).unwrap_or(0)
}
