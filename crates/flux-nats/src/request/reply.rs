//! The way back of an answer, and how it says error.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Waker};

use async_nats::HeaderMap;
use async_nats::message::OutboundMessage;
use bytes::Bytes;
use flux_core::{Error, ErrorKind, HeaderValue, Headers, Message, RemoteError, Reply, Result, Status, header, next};

use crate::service::Work;
use crate::{Nats, error, wire};

/// The longest text of an error that travels in a header, in bytes.
const MAX_TEXT: usize = 4096;

const DROPPED: &str = "the request was dropped without an answer";
const LEFT: &str = "the responder left before it took the request";

/// Answers one request. Dropped without an answer, it tells the requester so at once, with code `500`.
pub struct NatsReply {
    nats: Nats,
    /// `None` once it is answered, or when nobody asked for an answer.
    to: Option<async_nats::Subject>,
    /// What a service counts; `None` once it is counted.
    work: Option<Work>,
}

impl NatsReply {
    pub(crate) fn new(nats: &Nats, to: Option<async_nats::Subject>, work: Option<Work>) -> Self {
        Self { nats: nats.clone(), to, work }
    }

    /// Tells the requester that there is no answer, and why.
    async fn refuse(mut self, to: async_nats::Subject, remote: RemoteError) -> Result<()> {
        self.end(Some(&remote));
        let details = remote.details().cloned().unwrap_or_default();
        let sent = self.nats.hand_over(to, Some(error_headers(&remote)), details).await;
        sent.map_err(|error| error.with_operation("reply"))
    }

    /// The request is dealt with.
    fn end(&mut self, error: Option<&RemoteError>) {
        if let Some(work) = self.work.take() {
            work.end(error);
        }
    }
}

impl NatsReply {
    /// Gives one of several answers to a requester that [asked for many](crate::RequestMany). [`finish`](Self::finish) marks
    /// their end; an error ends them, too.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] and [`ErrorKind::Closed`]. An answer
    /// without payload and headers is [`ErrorKind::InvalidInput`]: it would be the end mark.
    pub async fn send(&self, answer: Message<Bytes>) -> Result<()> {
        let Some(to) = self.to.clone() else { return Ok(()) };
        let headers = self.nats.headers(&answer.headers);
        let sent = if answer.payload.is_empty() && headers.is_none() {
            Err(Error::new(ErrorKind::InvalidInput, "an empty answer without headers would be the end mark"))
        } else {
            self.nats.hand_over(to, headers, answer.payload).await
        };
        sent.map_err(|error| error.with_operation("reply"))
    }

    /// Marks the end of several answers.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn finish(mut self) -> Result<()> {
        self.end(None);
        let Some(to) = self.to.take() else { return Ok(()) };
        self.nats.hand_over(to, None, Bytes::new()).await.map_err(|error| error.with_operation("reply"))
    }
}

impl Reply<Bytes> for NatsReply {
    async fn reply(mut self, answer: Result<Message<Bytes>, RemoteError>) -> Result<()> {
        let Some(to) = self.to.take() else {
            self.end(answer.as_ref().err());
            return Ok(());
        };
        let Message { headers, payload, .. } = match answer {
            Ok(message) => message,
            // In a box, as all that is rare: the future of an answer is moved several times before it runs.
            Err(remote) => return Box::pin(self.refuse(to, remote)).await,
        };
        let client = self.nats.client();
        let sent = match self.nats.headers(&headers) {
            None => client.publish(to.clone(), payload).await,
            Some(headers) => client.publish_with_headers(to.clone(), headers, payload).await,
        };
        match sent.map_err(error::from_publish) {
            Ok(()) => {
                self.end(None);
                Ok(())
            }
            // The requester must not wait for an answer that will never come.
            Err(error) if error.kind() == ErrorKind::TooLarge => {
                let remote = RemoteError::new(RemoteError::INTERNAL, error.to_string());
                // Whether that can be said or not, this is the failure.
                let _ = Box::pin(self.refuse(to, remote)).await;
                Err(error.with_operation("reply"))
            }
            Err(error) => {
                self.end(None);
                Err(error.with_operation("reply"))
            }
        }
    }
}

impl Drop for NatsReply {
    fn drop(&mut self) {
        let remote = RemoteError::new(RemoteError::INTERNAL, DROPPED);
        self.end(Some(&remote));
        if let Some(to) = self.to.take() {
            let headers = error_headers(&remote);
            send_now(
                &self.nats,
                OutboundMessage { subject: to, reply: None, payload: Bytes::new(), headers: Some(headers) },
            );
        }
    }
}

impl fmt::Debug for NatsReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsReply").field("to", &self.to).finish_non_exhaustive()
    }
}

/// Hands a message over without waiting, or beside, when the buffer is full.
fn send_now(nats: &Nats, message: OutboundMessage) {
    use async_nats::client::traits::Publisher as _;
    let client = nats.client().clone();
    let mut sending = Box::pin(async move { client.publish_message(message).await });
    if sending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
        && let Ok(runtime) = tokio::runtime::Handle::try_current()
    {
        runtime.spawn(sending);
    }
}

/// Answers whatever a responder that has left did not take.
pub(super) async fn refuse_all(nats: &Nats, subscriber: &mut async_nats::Subscriber) {
    let mut subscriber = Pin::new(subscriber);
    while let Some(native) = next(subscriber.as_mut()).await {
        if let Some(to) = native.reply {
            let headers = error_headers(&RemoteError::new("503", LEFT));
            if nats.hand_over(to, Some(headers), Bytes::new()).await.is_err() {
                return;
            }
        }
    }
}

/// How an answer says that it is an error.
fn error_headers(remote: &RemoteError) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let text = HeaderValue::lossy(remote.message(), MAX_TEXT);
    let code = HeaderValue::lossy(remote.code(), MAX_TEXT);
    for (name, value) in [
        (header::SERVICE_ERROR, text.as_str()),
        (header::SERVICE_ERROR_CODE, code.as_str()),
        (header::STATUS, remote.status().as_str()),
        (header::ERROR_CODE, code.as_str()),
    ] {
        headers.insert(name.as_str(), value);
    }
    headers
}

/// The headers of an answer, unless it says error.
pub(super) fn read(answer: &async_nats::Message) -> Result<Headers> {
    let headers = match &answer.headers {
        Some(map) if !map.is_empty() => wire::read_headers(map)?,
        _ => return Ok(Headers::new()),
    };
    if headers.len() == 1 && headers.codec_content_type().is_some() {
        return Ok(headers);
    }
    match remote_error(&headers, &answer.payload) {
        Some(remote) => Err(remote.into()),
        None => Ok(headers),
    }
}

/// The error that an answer says it is, if it does.
fn remote_error(headers: &Headers, payload: &Bytes) -> Option<RemoteError> {
    let text = headers.get(&header::SERVICE_ERROR);
    let code = headers.get(&header::ERROR_CODE).or_else(|| headers.get(&header::SERVICE_ERROR_CODE));
    let status = Status::of(headers);
    let failed = matches!(status, Some(Status::Error | Status::Fail));
    if text.is_none() && !headers.contains(&header::SERVICE_ERROR_CODE) && !failed {
        return None;
    }
    let code = code.unwrap_or(RemoteError::INTERNAL).to_owned();
    let text = text.or_else(|| headers.get(&header::ERROR)).unwrap_or_default().to_owned();
    let remote =
        if status == Some(Status::Fail) { RemoteError::fail(code, text) } else { RemoteError::new(code, text) };
    Some(if payload.is_empty() { remote } else { remote.with_details(payload.clone()) })
}
