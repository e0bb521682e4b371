//! The way back of an outcome: it becomes the status of the answer.

use std::fmt;
use std::time::Duration;

use flux_core::{Error, ErrorKind, Outcome, Result, Settle, Unreadable};
use http::StatusCode;
use tokio::sync::oneshot;

use crate::problem::Problem;
use crate::registry::Answer;

/// Answers the sender of one message with its outcome: done is 204, a failure 500, one for good 422.
///
/// Dropped without an outcome, it answers 500 at once. A message that did not decode is answered with 400, 413 or 415, and one
/// with a bad signature with 401, unless it is to be delivered again.
pub struct HttpAcker {
    answer: Option<oneshot::Sender<Answer>>,
    why: Option<Unreadable>,
}

impl HttpAcker {
    pub(crate) const fn new(answer: Option<oneshot::Sender<Answer>>) -> Self {
        Self { answer, why: None }
    }

    fn refuse(&self, outcome: Outcome) -> Answer {
        let reason = match outcome {
            Outcome::Nak => return failed(None),
            Outcome::NakAfter(delay) => return failed(Some(delay)),
            Outcome::Ack if self.why.is_none() => return Answer::Done,
            Outcome::Term(reason) => reason,
            _ => "the message could not be read".into(),
        };
        let status = match self.why {
            None => StatusCode::UNPROCESSABLE_ENTITY,
            Some(Unreadable::ContentType) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Some(Unreadable::Signature) => StatusCode::UNAUTHORIZED,
            Some(Unreadable::Size) => StatusCode::PAYLOAD_TOO_LARGE,
            Some(_) => StatusCode::BAD_REQUEST,
        };
        Answer::Refused(Problem::new(status, reason))
    }
}

fn failed(delay: Option<Duration>) -> Answer {
    let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the handler failed; the message may be sent again");
    Answer::Refused(match delay {
        Some(delay) => problem.with_retry_after(delay),
        None => problem,
    })
}

/// The sender is told and may deliver again. One that was answered when the message arrived is told nothing.
///
/// # Errors
/// [`ErrorKind::Closed`] when the sender is gone or was answered that its time was up; it may send the message again.
impl Settle for HttpAcker {
    const REDELIVERS: bool = true;

    fn redelivers(&self) -> bool {
        self.answer.is_some()
    }

    fn sender_waits(&self) -> bool {
        self.answer.is_some()
    }

    fn settle(mut self, outcome: Outcome) -> impl Future<Output = Result<()>> + Send {
        let answer = self.refuse(outcome);
        let told = self.answer.take().is_none_or(|sender| sender.send(answer).is_ok());
        std::future::ready(if told { Ok(()) } else { Err(gone("settle")) })
    }

    fn mark_unreadable(&mut self, why: Unreadable) {
        self.why = Some(why);
    }
}

impl Drop for HttpAcker {
    fn drop(&mut self) {
        if let Some(sender) = self.answer.take() {
            let answer = if self.why.is_some() { self.refuse(Outcome::Ack) } else { failed(None) };
            // A sender that has gone away is not the handler's failure.
            let _ = sender.send(answer);
        }
    }
}

impl fmt::Debug for HttpAcker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAcker").finish_non_exhaustive()
    }
}

/// Nobody waits for the answer any more.
pub(crate) fn gone(operation: &'static str) -> Error {
    Error::new(ErrorKind::Closed, "the sender no longer waits for the answer").with_operation(operation)
}
