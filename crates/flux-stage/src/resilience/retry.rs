//! Tries a stage again when it fails.

mod advice;
mod exhausted;

use std::fmt;
use std::time::Duration;

use flux_core::Stage;
use tokio::time::{self, Instant};

pub use self::advice::{Advice, Told};
pub use self::exhausted::{GaveUp, RetryExhausted};
use crate::report::{Event, report};
use crate::{Always, Backoff, Describe, Judge, Shape};

/// Calls a stage until it succeeds, the attempts or the time run out, or an error is not worth another attempt.
///
/// Without options: three attempts, an exponential pause from 100 ms with jitter, every error is tried again, no deadline.
/// The input is cloned for each attempt but the last, so make it cheap to clone. Success at the first attempt allocates
/// nothing.
///
/// An error that says when to come back makes the pause at least that long, for the backoff knows less: an answer over HTTP with
/// `Retry-After`, the refusal of a circuit breaker or a rate limit inside. Nothing but the deadline bounds it, so set one where
/// that may be long. [`Told`] says which errors are understood; for others see [`advised_by`](Self::advised_by).
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use flux_core::Stage;
/// use flux_stage::{Backoff, Retry};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// static CALLS: AtomicU32 = AtomicU32::new(0);
///
/// async fn flaky(n: u32) -> Result<u32, &'static str> {
///     if CALLS.fetch_add(1, Ordering::Relaxed) == 0 { Err("not yet") } else { Ok(n * 2) }
/// }
/// let stage = Retry::new(flaky).with_backoff(Backoff::none());
/// assert_eq!(stage.process(21).await.unwrap(), 42);
/// # }
/// ```
///
/// # Cancel safety
/// The attempt or the pause in progress is dropped; nothing goes on.
#[derive(Clone)]
pub struct Retry<S, W = Always, A = Told> {
    stage: S,
    attempts: u32,
    backoff: Backoff,
    deadline: Option<Duration>,
    when: W,
    advice: A,
}

impl<S> Retry<S> {
    /// Retries `stage`.
    pub fn new(stage: S) -> Self {
        let backoff = Backoff::exponential(Duration::from_millis(100));
        Self { stage, attempts: 3, backoff, deadline: None, when: Always, advice: Told }
    }
}

impl<S, A> Retry<S, Always, A> {
    /// Tries again only after errors of which `when` says so. The default is all of them.
    pub fn when<E, W: Fn(&E) -> bool>(self, when: W) -> Retry<S, W, A> {
        let Self { stage, attempts, backoff, deadline, advice, .. } = self;
        Retry { stage, attempts, backoff, deadline, when, advice }
    }
}

impl<S, W> Retry<S, W> {
    /// Waits at least as long as `advice` says of an error, and no less than the backoff. The default is [`Told`]; `|_: &E| None`
    /// leaves the pause to the backoff.
    pub fn advised_by<E, A: Fn(&E) -> Option<Duration>>(self, advice: A) -> Retry<S, W, A> {
        let Self { stage, attempts, backoff, deadline, when, .. } = self;
        Retry { stage, attempts, backoff, deadline, when, advice }
    }
}

impl<S, W, A> Retry<S, W, A> {
    /// At most so many attempts, the first included; zero counts as one. The default is 3.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The pause between attempts. The default is exponential from 100 ms with jitter.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// All attempts and pauses together take no longer. The attempt in progress is then dropped, and a pause that would not
    /// end in time, or that is asked for and would not, does not begin. There is none by default.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// What comes after the attempt that failed: a pause, or the end.
    fn next<E>(&self, error: &E, failed: u32, until: Option<Instant>) -> Result<Duration, GaveUp>
    where
        W: Judge<E>,
        A: Advice<E>,
    {
        if !self.when.counts(error) {
            return Err(GaveUp::Refused);
        }
        if failed >= self.attempts {
            return Err(GaveUp::Attempts);
        }
        let pause = self.backoff.pause(failed).max(self.advice.delay(error).unwrap_or_default());
        let late = until.is_some_and(|until| pause >= until.saturating_duration_since(Instant::now()));
        if late { Err(GaveUp::Deadline) } else { Ok(pause) }
    }
}

impl<In, S, W, A> Stage<In> for Retry<S, W, A>
where
    In: Clone + Send,
    S: Stage<In>,
    W: Judge<S::Error>,
    A: Advice<S::Error>,
{
    type Out = S::Out;
    type Error = RetryExhausted<S::Error>;

    async fn process(&self, input: In) -> Result<S::Out, RetryExhausted<S::Error>> {
        // A deadline too far off to be told is none.
        let until = self.deadline.and_then(|deadline| Instant::now().checked_add(deadline));
        let mut errors = Vec::new();
        let mut input = Some(input);
        let mut failed = 0;
        loop {
            let is_last = failed + 1 == self.attempts;
            let Some(given) = (if is_last { input.take() } else { input.clone() }) else {
                return Err(RetryExhausted::new(errors, GaveUp::Attempts));
            };
            let attempt = self.stage.process(given);
            let done = match until {
                None => attempt.await,
                Some(until) => match time::timeout_at(until, attempt).await {
                    Ok(done) => done,
                    Err(_elapsed) => return Err(RetryExhausted::new(errors, GaveUp::Deadline)),
                },
            };
            let error = match done {
                Ok(out) => return Ok(out),
                Err(error) => error,
            };
            failed += 1;
            let next = self.next(&error, failed, until);
            errors.push(error);
            match next {
                Ok(pause) if pause.is_zero() => {}
                Ok(pause) => time::sleep(pause).await,
                Err(why) => return Err(RetryExhausted::new(errors, why)),
            }
            report(&Event::Retried);
        }
    }
}

impl<S: Describe, W, A> Describe for Retry<S, W, A> {
    fn describe(&self) -> Shape {
        Shape::around("retry", self.stage.describe())
    }
}

impl<S: fmt::Debug, W, A> fmt::Debug for Retry<S, W, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, attempts, backoff, deadline, .. } = self;
        f.debug_struct("Retry")
            .field("stage", stage)
            .field("attempts", attempts)
            .field("backoff", backoff)
            .field("deadline", deadline)
            .finish_non_exhaustive()
    }
}
