//! A payload with the subject it goes to and the headers beside it.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Error, HeaderName, HeaderValue, Headers, Result, Subject, header};

/// What is published and what a handler gets: plain data, with no handle inside.
///
/// ```
/// use flux_core::Message;
///
/// let message = Message::new("orders.created", 9.5)?.with_id("order-1")?;
/// assert_eq!(message.id(), Some("order-1"));
/// # Ok::<(), flux_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<T> {
    /// Where it goes. For a handler: the subject it was published under, wildcards or not.
    pub subject: Subject,
    /// What travels beside the payload.
    pub headers: Headers,
    /// The value.
    pub payload: T,
}

impl<T> Message<T> {
    /// A message without headers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`](crate::ErrorKind::InvalidSubject). With a [`Subject`] there is none; see [`to`](Self::to).
    pub fn new<S>(subject: S, payload: T) -> Result<Self>
    where
        S: TryInto<Subject>,
        Error: From<S::Error>,
    {
        Ok(Self::to(subject.try_into()?, payload))
    }

    /// A message without headers to a subject that was checked before.
    pub const fn to(subject: Subject, payload: T) -> Self {
        Self { subject, headers: Headers::new(), payload }
    }

    /// Sets a header.
    ///
    /// # Errors
    /// Those of [`Headers::insert`].
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Result<Self>
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
        Error: From<N::Error> + From<V::Error>,
    {
        self.headers.insert(name, value)?;
        Ok(self)
    }

    /// Replaces the headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// Sets the business id, `X-Message-ID`, by which streams deduplicate.
    ///
    /// # Errors
    /// Those of [`Headers::insert`].
    pub fn with_id<V>(mut self, id: V) -> Result<Self>
    where
        V: TryInto<HeaderValue>,
        Error: From<V::Error>,
    {
        self.headers.set(header::MESSAGE_ID, id.try_into()?)?;
        Ok(self)
    }

    /// The business id, `X-Message-ID`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.headers.get(&header::MESSAGE_ID)
    }

    /// The id that all messages of one piece of work share, `X-Correlation-ID`.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.headers.get(&header::CORRELATION_ID)
    }

    /// The id of the message that caused this one, `X-Causation-ID`.
    #[must_use]
    pub fn causation_id(&self) -> Option<&str> {
        self.headers.get(&header::CAUSATION_ID)
    }

    /// By what a transport that deduplicates knows the message again: its id. A dead letter has the id of its original, whose
    /// duplicate it is not, not even in the same stream; so its subject, its original's and the handler that gave it up come before it.
    #[must_use]
    pub fn deduplication_id(&self) -> Option<Cow<'_, str>> {
        let id = self.id().filter(|id| !id.is_empty())?;
        let Some(original) = self.headers.get(&header::ORIGINAL_SUBJECT) else { return Some(id.into()) };
        let handler = self.headers.get(&header::HANDLER).unwrap_or_default();
        Some(format!("{}/{original}/{handler}/{id}", self.subject).into())
    }

    /// When the requester stops waiting for the answer, `X-Deadline`, by its own clock.
    #[must_use]
    pub fn deadline(&self) -> Option<SystemTime> {
        let millis = self.headers.get(&header::DEADLINE)?.parse().ok()?;
        UNIX_EPOCH.checked_add(Duration::from_millis(millis))
    }

    /// How long the requester still waits for the answer; zero when it has stopped. `None` when the request does not say.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline().map(|deadline| deadline.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// The same message around another payload.
    pub fn map<U>(self, payload: impl FnOnce(T) -> U) -> Message<U> {
        Message { subject: self.subject, headers: self.headers, payload: payload(self.payload) }
    }

    /// The message without its payload, and the payload.
    pub fn take(self) -> (Message<()>, T) {
        (Message { subject: self.subject, headers: self.headers, payload: () }, self.payload)
    }
}
