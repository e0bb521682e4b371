//! Tries a stage again when it fails.

mod exhausted;

use std::fmt;
use std::time::Duration;

use flux_core::Stage;
use tokio::time::{self, Instant};

pub use self::exhausted::{GaveUp, RetryExhausted};
use crate::report::{Event, report};
use crate::{Always, Backoff, Describe, Judge, Shape};

/// Calls a stage until it succeeds, the attempts or the time run out, or an error is not worth another attempt.
///
/// Without options: three attempts, an exponential pause from 100 ms with jitter, every error is tried again, no deadline.
/// The input is cloned for each attempt but the last, so make it cheap to clone. Success at the first attempt allocates
/// nothing.
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
pub struct Retry<S, W = Always> {
    stage: S,
    attempts: u32,
    backoff: Backoff,
    deadline: Option<Duration>,
    when: W,
}

impl<S> Retry<S> {
    /// Retries `stage`.
    pub fn new(stage: S) -> Self {
        let backoff = Backoff::exponential(Duration::from_millis(100));
        Self { stage, attempts: 3, backoff, deadline: None, when: Always }
    }

    /// Tries again only after errors of which `when` says so. The default is all of them.
    pub fn when<E, W: Fn(&E) -> bool>(self, when: W) -> Retry<S, W> {
        let Self { stage, attempts, backoff, deadline, .. } = self;
        Retry { stage, attempts, backoff, deadline, when }
    }
}

impl<S, W> Retry<S, W> {
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
    /// end in time does not begin. There is none by default.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// What comes after the attempt that failed: a pause, or the end.
    fn next<E>(&self, error: &E, failed: u32, until: Option<Instant>) -> Result<Duration, GaveUp>
    where
        W: Judge<E>,
    {
        if !self.when.counts(error) {
            return Err(GaveUp::Refused);
        }
        if failed >= self.attempts {
            return Err(GaveUp::Attempts);
        }
        let pause = self.backoff.pause(failed);
        let late = until.is_some_and(|until| pause >= until.saturating_duration_since(Instant::now()));
        if late { Err(GaveUp::Deadline) } else { Ok(pause) }
    }
}

impl<In, S, W> Stage<In> for Retry<S, W>
where
    In: Clone + Send,
    S: Stage<In>,
    W: Judge<S::Error>,
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

impl<S: Describe, W> Describe for Retry<S, W> {
    fn describe(&self) -> Shape {
        Shape::around("retry", self.stage.describe())
    }
}

impl<S: fmt::Debug, W> fmt::Debug for Retry<S, W> {
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
