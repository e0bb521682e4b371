//! The service that a server mounts: from a request to who listens, and from their outcomes to a response.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use flux_core::{Message, Subject};
use http::header as field;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;
use tokio::time::timeout;

use crate::inline::{Inline, Refused};
use crate::problem::Problem;
use crate::registry::{Answer, Arrival, Line, Targets};
use crate::server::Inner;
use crate::wire;

/// Brings what is posted to who listens, and answers with the outcome.
///
/// A [`tower::Service`](tower_service::Service) and a [`hyper::service::Service`] of any body. It never fails and is always ready;
/// what is too much is answered with 429.
#[derive(Clone)]
pub struct HttpService(pub(crate) Arc<Inner>);

type Answering = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

impl<B> tower_service::Service<Request<B>> for HttpService
where
    B: Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        hyper::service::Service::call(self, request)
    }
}

impl<B> hyper::service::Service<Request<B>> for HttpService
where
    B: Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<B>) -> Answering {
        let server = Arc::clone(&self.0);
        // A future for each way, so that none carries the state of another.
        match server.route(&request) {
            Err(refused) => Box::pin(ready(Ok(refused))),
            Ok((Targets::Responder(Line::Inline(inline)), head)) => {
                let body = request.into_body();
                Box::pin(
                    async move { Ok(server.call(inline, head, body).await.unwrap_or_else(Problem::into_response)) },
                )
            }
            Ok((targets, head)) => {
                let body = request.into_body();
                Box::pin(
                    async move { Ok(server.queue(targets, head, body).await.unwrap_or_else(Problem::into_response)) },
                )
            }
        }
    }
}

/// A message whose body is not read yet.
type Head = Message<()>;

impl Inner {
    /// Who gets what is posted, and what is known of it before its body is read; or why it is refused.
    fn route<B>(&self, request: &Request<B>) -> Result<(Targets, Head), Response<Full<Bytes>>> {
        let subject = self.subject(request.uri().path()).map_err(Problem::into_response)?;
        let targets = match self.registry.targets(&subject) {
            Targets::Closed => return Err(self.draining().into_response()),
            Targets::Nobody => {
                let text = format!("nobody listens to `{subject}`");
                return Err(Problem::new(StatusCode::NOT_FOUND, text).into_response());
            }
            targets => targets,
        };
        if request.method() != Method::POST {
            let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "messages and requests are posted");
            let mut response = problem.into_response();
            response.headers_mut().insert(field::ALLOW, field::HeaderValue::from_static("POST"));
            return Err(response);
        }
        match wire::read_headers(request.headers()) {
            Ok(headers) => Ok((targets, Message { subject, headers, payload: () })),
            Err(error) => {
                Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, error.to_string()).into_response())
            }
        }
    }

    /// How long the sender waits for its answer.
    fn limit(&self, head: &Head) -> Duration {
        head.time_left().map_or(self.config.answer_timeout, |left| left.min(self.config.answer_timeout))
    }

    /// Calls the responder.
    async fn call<B>(&self, inline: Arc<Inline>, head: Head, body: B) -> Result<Response<Full<Bytes>>, Problem>
    where
        B: Body<Error: Into<Box<dyn StdError + Send + Sync>>>,
    {
        let payload = self.read(body).await?;
        let (sender, answer) = oneshot::channel();
        let limit = self.limit(&head);
        let answered = pin!(async {
            let turn = inline.turn().await.map_err(|refused| self.refused(refused))?;
            turn.call(head.map(|()| payload), sender).await;
            self.told(answer.await)
        });
        in_time(limit, answered).await.unwrap_or_else(|| Err(late())).map(respond)
    }

    /// Hands the message to those who take it from a queue.
    async fn queue<B>(&self, targets: Targets, head: Head, body: B) -> Result<Response<Full<Bytes>>, Problem>
    where
        B: Body<Error: Into<Box<dyn StdError + Send + Sync>>>,
    {
        let payload = self.read(body).await?;
        let limit = self.limit(&head);
        let message = head.map(|()| payload);
        match targets {
            Targets::Responder(Line::Queue(queue)) => {
                let permit = self.reserve(queue)?;
                self.wait([hand_over(permit, message)], limit).await
            }
            Targets::Subscribers(queues) => self.deliver(queues, message, limit).await,
            Targets::Responder(Line::Inline(_)) | Targets::Nobody | Targets::Closed => Err(self.draining()),
        }
    }

    /// The subject that a path stands for.
    fn subject(&self, path: &str) -> Result<Subject, Problem> {
        let rest = path.strip_prefix(self.config.base.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
        let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
            return Err(Problem::new(StatusCode::NOT_FOUND, "the path is not that of a subject"));
        };
        wire::read_path(rest).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))
    }

    /// Reads a body of allowed size, in time.
    async fn read<B>(&self, body: B) -> Result<Bytes, Problem>
    where
        B: Body<Error: Into<Box<dyn StdError + Send + Sync>>>,
    {
        let limit = self.config.max_body;
        let too_large =
            || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is over the limit of {limit} bytes"));
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let late = || Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"));
        let collect = async {
            let mut body = pin!(body);
            let mut whole = Bytes::new();
            let mut more = BytesMut::new();
            // To wait for an end that is known already would have hyper wake the connection's task once more.
            while !body.is_end_stream() {
                let Some(frame) = body.frame().await else { break };
                let frame = frame.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body broke off"))?;
                let Ok(mut data) = frame.into_data() else { continue };
                if whole.len() + more.len() + data.remaining() > limit {
                    return Err(too_large());
                }
                let data = data.copy_to_bytes(data.remaining());
                if whole.is_empty() && more.is_empty() {
                    whole = data;
                } else {
                    more.extend_from_slice(&std::mem::take(&mut whole));
                    more.extend_from_slice(&data);
                }
            }
            Ok(if more.is_empty() { whole } else { more.freeze() })
        };
        in_time(self.config.read_timeout, pin!(collect)).await.unwrap_or_else(late)
    }

    /// Hands the message to every subscription, or to none when one of them is full.
    async fn deliver(
        &self,
        queues: Vec<mpsc::Sender<Arrival>>,
        message: Message<Bytes>,
        limit: Duration,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        let permits: Vec<_> = queues.into_iter().map(|queue| self.reserve(queue)).collect::<Result<_, _>>()?;
        if self.config.early_answer {
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
                .with_retry_after(self.config.retry_after),
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
        if !self.config.reasons && problem.code.is_none() {
            problem.detail = "".into();
        }
        problem
    }

    fn draining(&self) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the server drains").with_retry_after(self.config.retry_after)
    }

    /// Who listened has left before the message was taken.
    fn left(&self) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the subscriber has left")
            .with_retry_after(self.config.retry_after)
    }
}

/// The output of `future`, or `None` when it takes longer than `limit`. Costs no timer while the future is ready at once.
async fn in_time<F: Future>(limit: Duration, mut future: Pin<&mut F>) -> Option<F::Output> {
    match poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        Poll::Ready(output) => Some(output),
        // In a box of its own: a timer is as large as all else that a request keeps.
        Poll::Pending => Box::pin(timeout(limit, future)).await.ok(),
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

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpService")
    }
}
