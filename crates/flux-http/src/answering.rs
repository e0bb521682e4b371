//! From a message and who gets it to the answer of its sender.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Headers, Message};
use http::{Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;

use crate::HttpServerConfig;
use crate::body::in_time;
use crate::inline::{Known, Refused};
use crate::problem::Problem;
use crate::registry::{Answer, Arrival, Line, Targets};

/// A message whose body is not read yet.
pub(crate) type Head = Message<()>;

impl Known {
    /// Calls the responder.
    pub(crate) async fn answer<B>(self: Arc<Self>, headers: Headers, body: B) -> Result<Response<Full<Bytes>>, Problem>
    where
        B: Body<Error: Into<Box<dyn StdError + Send + Sync>>>,
    {
        let payload = self.config.read(body).await?;
        let message = Message { subject: self.subject.clone(), headers, payload };
        let (sender, mut answer) = oneshot::channel();
        let limit = self.config.limit(&message)?;
        let answered = pin!(async {
            self.place().await.map_err(|refused| self.config.refused(refused))?;
            let mut call = self.call(message, sender);
            // What is still to do once the requester has its answer goes on without it.
            let answer = poll_fn(|cx| {
                let _ = Pin::new(&mut call).poll(cx);
                Pin::new(&mut answer).poll(cx)
            });
            let answer = answer.await;
            call.known.config.told(answer)
        });
        in_time(limit, answered).await.unwrap_or_else(|| Err(late())).map(respond)
    }
}

impl HttpServerConfig {
    /// How long the sender waits for its answer; nothing is begun for one that no longer does.
    fn limit<T>(&self, message: &Message<T>) -> Result<Duration, Problem> {
        match message.time_left() {
            Some(Duration::ZERO) => Err(late()),
            Some(left) => Ok(left.min(self.answer_timeout)),
            None => Ok(self.answer_timeout),
        }
    }

    /// Hands the message to those who take it from a queue.
    pub(crate) async fn queue<B>(&self, targets: Targets, head: Head, body: B) -> Result<Response<Full<Bytes>>, Problem>
    where
        B: Body<Error: Into<Box<dyn StdError + Send + Sync>>>,
    {
        let payload = self.read(body).await?;
        let limit = self.limit(&head)?;
        let message = head.map(|()| payload);
        match targets {
            Targets::Only(Line::Queue(queue)) | Targets::Responder(Line::Queue(queue)) => {
                let permit = self.reserve(queue)?;
                self.wait([hand_over(permit, message)], limit).await
            }
            Targets::Subscribers(queues) => Box::pin(self.deliver(queues, message, limit)).await,
            Targets::Only(_) | Targets::Responder(_) | Targets::Nobody | Targets::Closed => Err(self.draining()),
        }
    }

    /// Hands the message to every subscription, or to none when one of them is full.
    async fn deliver(
        &self,
        queues: Vec<mpsc::Sender<Arrival>>,
        message: Message<Bytes>,
        limit: Duration,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        let permits: Vec<_> = queues.into_iter().map(|queue| self.reserve(queue)).collect::<Result<_, _>>()?;
        if self.early_answer {
            for permit in permits {
                permit.send(Arrival { message: message.clone(), answer: None });
            }
            return Ok(empty(StatusCode::ACCEPTED));
        }
        let mut message = Some(message);
        let last = permits.len() - 1;
        let each = permits.into_iter().enumerate().filter_map(|(place, permit)| {
            let own = if place == last { message.take() } else { message.clone() };
            own.map(|message| hand_over(permit, message))
        });
        let answers: Vec<_> = each.collect();
        self.wait(answers, limit).await
    }

    fn reserve(&self, queue: mpsc::Sender<Arrival>) -> Result<OwnedPermit<Arrival>, Problem> {
        queue.try_reserve_owned().map_err(|error| {
            self.refused(match error {
                TrySendError::Full(_) => Refused::Full,
                TrySendError::Closed(_) => Refused::Left,
            })
        })
    }

    fn refused(&self, refused: Refused) -> Problem {
        match refused {
            Refused::Full => Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many messages wait already")
                .with_retry_after(self.retry_after),
            Refused::Left => self.left(),
        }
    }

    /// What came back from who listens.
    fn told(&self, answer: Result<Answer, RecvError>) -> Result<Answer, Problem> {
        match answer {
            Ok(Answer::Refused(problem)) => Err(self.without_reason(problem)),
            Ok(answer) => Ok(answer),
            Err(_) => Err(self.left()),
        }
    }

    /// Waits for every answer; the worst is told.
    async fn wait(
        &self,
        answers: impl IntoIterator<Item = oneshot::Receiver<Answer>>,
        limit: Duration,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        let all = async {
            let mut told = Ok(Answer::Done);
            for answer in answers {
                told = match (told, self.told(answer.await)) {
                    (Err(one), Err(other)) => Err(if other.status > one.status { other } else { one }),
                    (Err(problem), Ok(_)) | (Ok(_), Err(problem)) => Err(problem),
                    (Ok(_), Ok(answer)) => Ok(answer),
                };
            }
            told
        };
        in_time(limit, pin!(all)).await.unwrap_or_else(|| Err(late())).map(respond)
    }

    /// What a handler said of a message may be kept from strangers.
    fn without_reason(&self, mut problem: Problem) -> Problem {
        if !self.reasons && problem.code.is_none() {
            problem.detail = "".into();
        }
        problem
    }

    pub(crate) fn draining(&self) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the server drains").with_retry_after(self.retry_after)
    }

    /// Who listened has left before the message was taken.
    fn left(&self) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the subscriber has left").with_retry_after(self.retry_after)
    }
}

fn late() -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "the handler was not done in time")
}

fn respond(answer: Answer) -> Response<Full<Bytes>> {
    match answer {
        Answer::Reply(headers, body) => {
            let mut response = Response::new(Full::new(body));
            *response.headers_mut() = headers;
            response
        }
        Answer::Done | Answer::Refused(_) => empty(StatusCode::NO_CONTENT),
    }
}

fn hand_over(permit: OwnedPermit<Arrival>, message: Message<Bytes>) -> oneshot::Receiver<Answer> {
    let (sender, answer) = oneshot::channel();
    permit.send(Arrival { message, answer: Some(sender) });
    answer
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
