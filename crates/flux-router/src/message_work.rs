//! What a worker does with one message: call the handler, climb the ladder, give up, settle.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

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
use crate::metrics::count;
use crate::shared::Shared;
use crate::stop::race;
use crate::{Ladder, Undecodable};

/// Everything the workers of one message route share.
pub(crate) struct MessageWork<T, H> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) stage: H,
    pub(crate) ladder: Ladder,
    pub(crate) max_run: Option<Duration>,
    pub(crate) undecodable: Undecodable,
    pub(crate) dead_letters: Option<DeadLetters<T>>,
    pub(crate) telemetry: Telemetry,
    pub(crate) wants_metadata: bool,
}

/// One delivery on its way through the handler.
struct Case<T> {
    subject: Subject,
    headers: Headers,
    /// The payload as it came, for the dead letters.
    kept: Option<Forwarded<T>>,
    metadata: Metadata,
    attempt: u64,
}

/// How a handler call failed.
struct Fault {
    class: &'static str,
    text: String,
    then: FailureClass,
}

impl<T: Clone + Send + 'static, H: Handler<T>> MessageWork<T, H> {
    /// Handles one delivery to its end.
    pub(crate) async fn handle<A: Settle>(&self, delivery: Delivery<T, A>) {
        let Delivery { message, metadata, original, mut acker, .. } = delivery;
        let redelivers = acker.redelivers();
        let attempt = attempt_of(&metadata, &message.headers);
        if redelivers && attempt > u64::from(self.ladder.attempts) {
            // Earlier attempts ended without a word: the process died, or the time to settle ran out.
            let fault = Fault::permanent("exhausted", format!("delivered {attempt} times without being settled"));
            let kept = Some(original.map_or(Forwarded::Value(message.payload), Forwarded::Encoded));
            let case = Case { subject: message.subject, headers: message.headers, kept, metadata, attempt };
            return self.give_up(case, acker, &fault).await;
        }
        let repeats = self.ladder.in_place > 1 || (!redelivers && self.ladder.attempts > 1);
        let spare = repeats.then(|| message.clone());
        let (headers, kept) = self.keep(&message, original, spare.is_some());
        let mut case = Case { subject: message.subject.clone(), headers, kept, metadata, attempt };
        let mut message = message;
        let mut calls = 1;
        loop {
            let fault = match self.call(message, &mut case, &mut acker).await {
                Ok(outcome) => return self.succeed(outcome, acker).await,
                Err(fault) => fault,
            };
            let climbs = matches!(fault.then, FailureClass::Retry | FailureClass::RetryAfter(_));
            let again = match &spare {
                Some(_) if climbs && calls < self.ladder.in_place => {
                    calls += 1;
                    true
                }
                Some(_) if climbs && !redelivers && case.attempt < u64::from(self.ladder.attempts) => {
                    self.wait(self.delay(&fault, case.attempt)).await;
                    case.attempt += 1;
                    calls = 1;
                    true
                }
                _ => false,
            };
            let Some(copy) = spare.as_ref().filter(|_| again) else {
                case.kept = case.kept.or_else(|| spare.map(|spare| Forwarded::Value(spare.payload)));
                return self.fail(case, acker, &fault).await;
            };
            count(&self.shared.counters.retried);
            message = copy.clone();
        }
    }

    /// Handles a delivery that is not a message of this route's type.
    pub(crate) async fn broken(&self, mut error: Error) -> Result<(), Error> {
        let Some(undecodable) = error.take_undecodable() else {
            self.shared.emit(&Event::Broken { error: &error });
            return Ok(());
        };
        count(&self.shared.counters.undecodable);
        self.shared.emit(&Event::Broken { error: &error });
        let Delivery { message, metadata, acker, .. } = *undecodable;
        let subject = message.subject.clone();
        let fault = Fault::permanent("undecodable", Failure::permanent(error).to_string());
        match self.undecodable {
            Undecodable::DeadLetter => {
                let attempt = attempt_of(&metadata, &message.headers);
                let kept = Some(Forwarded::Encoded(message.payload));
                let case = Case { subject: message.subject, headers: message.headers, kept, metadata, attempt };
                self.give_up(case, acker, &fault).await;
                Ok(())
            }
            Undecodable::Drop => {
                self.shared.complete();
                self.settle(acker, Outcome::term(fault.text)).await;
                Ok(())
            }
            Undecodable::Stop => {
                let message = format!("a message did not decode, and the route stops at such: {}", fault.text);
                Err(Error::new(ErrorKind::Codec, message).with_operation("handle").with_subject(subject))
            }
        }
    }

    /// What a dead letter would need: headers, and the payload unless a copy of the message is kept anyway.
    fn keep(&self, message: &Message<T>, original: Option<Bytes>, copied: bool) -> (Headers, Option<Forwarded<T>>) {
        if self.dead_letters.is_none() {
            return (Headers::new(), None);
        }
        let value = || (!copied).then(|| Forwarded::Value(message.payload.clone()));
        (message.headers.clone(), original.map(Forwarded::Encoded).or_else(value))
    }

    async fn call<A: Settle>(&self, message: Message<T>, case: &mut Case<T>, acker: &mut A) -> Result<Outcome, Fault> {
        let (scope, processing) = self.telemetry.process(&message.subject, &message.headers, Relation::Link);
        let run = scope.run(async { self.stage.process(message).await });
        let limits = Limits { max_run: self.max_run, ack_wait: case.metadata.ack_wait };
        let started = Instant::now();
        let ended = if self.wants_metadata {
            guard(METADATA.scope(case.metadata.clone(), run), limits, &mut Acking(acker)).await
        } else {
            guard(run, limits, &mut Acking(acker)).await
        };
        self.shared.counters.took(started.elapsed());
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
            count(&self.shared.counters.retried);
        } else {
            count(&self.shared.counters.handled);
        }
        self.shared.complete();
        self.settle(acker, outcome).await;
    }

    async fn fail<A: Settle>(&self, case: Case<T>, acker: A, fault: &Fault) {
        let climbs = matches!(fault.then, FailureClass::Retry | FailureClass::RetryAfter(_));
        if fault.then == FailureClass::Drop {
            self.shared.complete();
            self.settle(acker, Outcome::Ack).await;
        } else if climbs && acker.redelivers() && case.attempt < u64::from(self.ladder.attempts) {
            count(&self.shared.counters.retried);
            self.shared.complete();
            self.settle(acker, Outcome::NakAfter(self.delay(fault, case.attempt))).await;
        } else {
            self.give_up(case, acker, fault).await;
        }
    }

    /// Stores a dead letter, and only then lets the transport forget the message.
    async fn give_up<A: Settle>(&self, case: Case<T>, acker: A, fault: &Fault) {
        let Case { subject, headers, kept, metadata, attempt } = case;
        let again = is_dead_letter(&headers);
        let (Some(letters), Some(payload), false) = (&self.dead_letters, kept, again) else {
            count(&self.shared.counters.lost);
            self.shared.emit(&Event::NotDeadLettered { subject: &subject, error: None });
            self.shared.complete();
            return self.settle(acker, Outcome::term(fault.text.clone())).await;
        };
        let reason = Reason { class: fault.class, text: &fault.text, attempts: attempt, route: &self.shared.name };
        let given_up = GivenUp { subject: subject.clone(), headers, payload };
        let stored = match letters.address(given_up, &reason, &metadata) {
            Ok(letter) => letters.store(letter).await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(()) => {
                count(&self.shared.counters.dead_lettered);
                self.shared.emit(&Event::DeadLettered { subject: &subject, reason: &fault.text });
                self.shared.complete();
                self.settle(acker, Outcome::Ack).await;
            }
            Err(error) => {
                self.shared.emit(&Event::NotDeadLettered { subject: &subject, error: Some(&error) });
                if acker.redelivers() {
                    count(&self.shared.counters.retried);
                } else {
                    count(&self.shared.counters.lost);
                }
                self.shared.complete();
                let step = u32::try_from(attempt).unwrap_or(u32::MAX);
                self.settle(acker, Outcome::NakAfter(self.ladder.delay(step))).await;
            }
        }
    }

    async fn settle<A: Settle>(&self, acker: A, outcome: Outcome) {
        if let Err(error) = acker.settle(outcome).await {
            count(&self.shared.counters.unsettled);
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
        let counters = &self.shared.counters;
        count(match (fault.class, fault.then) {
            ("panic", _) => &counters.failed_panic,
            ("timeout", _) => &counters.failed_timeout,
            (_, FailureClass::Drop) => &counters.failed_drop,
            (_, FailureClass::Permanent) => &counters.failed_permanent,
            _ => &counters.failed_retry,
        });
        debug_assert!(counters.in_flight.load(Relaxed) > 0, "a handler runs only inside a worker");
    }
}

impl Fault {
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
