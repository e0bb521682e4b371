//! A stream, as a program holds it.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::RawMessage;
use bytes::Bytes;
use flux_core::{Error, ErrorKind, Message, Result, Subject, SubjectFilter, Telemetry, Typed};
use flux_nats::wire::Subjects;
use serde::Deserialize;

use crate::config::{ConsumerConfig, check_name};
use crate::error::{MESSAGE_NOT_FOUND, server_code};
use crate::jetstream::during;
use crate::provision::FoundConsumer;
use crate::{JetStream, JsConsumer, wire};

/// A stream on a NATS server that keeps messages until they are settled.
///
/// It carries bytes; [`typed`](Self::typed) makes it carry values. As a [`Subscriber`](flux_core::Subscriber), each subscription
/// is an ephemeral consumer of all that is in the stream; each queue group is a durable consumer of that name, shared by all
/// its members wherever they run. Other wishes go through [`consumer`](Self::consumer).
///
/// Cloning makes another handle of the same stream.
#[derive(Clone)]
pub struct JsStream(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) jetstream: JetStream,
    pub(crate) name: Arc<str>,
    subjects: Vec<SubjectFilter>,
    defaults: ConsumerConfig,
}

/// How full a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// The stream's name.
    pub name: String,
    /// Messages it holds.
    pub messages: u64,
    /// Bytes of their subjects, headers and payloads.
    pub bytes: u64,
    /// The place of the oldest message it holds.
    pub first_sequence: u64,
    /// The place of the newest message it has held; 0 when there was none.
    pub last_sequence: u64,
    /// Consumers it has.
    pub consumers: usize,
}

impl JsStream {
    pub(crate) fn new(jetstream: JetStream, name: &str, subjects: Vec<SubjectFilter>) -> Self {
        let defaults = ConsumerConfig::ephemeral();
        Self(Arc::new(Inner { jetstream, name: name.into(), subjects, defaults }))
    }

    /// How the consumers are to be that subscriptions and queue groups make; its name and filters are not used.
    #[must_use]
    pub fn with_consumer_defaults(self, defaults: ConsumerConfig) -> Self {
        let Inner { jetstream, name, subjects, .. } = &*self.0;
        let (jetstream, name, subjects) = (jetstream.clone(), Arc::clone(name), subjects.clone());
        Self(Arc::new(Inner { jetstream, name, subjects, defaults }))
    }

    /// The same stream for values.
    pub fn typed<C>(self, codec: C) -> Typed<Self, C> {
        Typed::with_telemetry(self, codec, Telemetry::new("nats"))
    }

    /// The stream's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The JetStream it is in.
    #[must_use]
    pub fn jetstream(&self) -> &JetStream {
        &self.0.jetstream
    }

    /// The consumer of this configuration: a durable one is made if it is missing and compared if it is there; an ephemeral one
    /// is always new.
    ///
    /// # Errors
    /// As [`JetStream::stream`]. [`ErrorKind::Rejected`] for a filter that matches nothing the stream takes or holds: such a
    /// consumer would wait for ever.
    pub async fn consumer(&self, config: ConsumerConfig) -> Result<JsConsumer> {
        let found = self.provision(&config).await.map_err(during("consumer"))?;
        Ok(JsConsumer::new(self.clone(), config, &found))
    }

    async fn provision(&self, config: &ConsumerConfig) -> Result<FoundConsumer> {
        for filter in &config.filters {
            let filter = SubjectFilter::new(filter)?;
            if !self.0.subjects.iter().any(|subject| subject.overlaps(&filter)) {
                // What this handle knows may be old, or not all that there is.
                self.jetstream().check_filter(self.name(), &filter).await?;
            }
        }
        self.jetstream().provision_consumer(self.name(), config).await
    }

    /// Deletes a consumer with its place in the stream; tells whether there was one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](flux_core::ErrorKind::InvalidInput) for what is not a name; else what the server says.
    pub async fn delete_consumer(&self, name: &str) -> Result<bool> {
        check_name("consumer", name)?;
        self.jetstream().delete_consumer(self.name(), name).await
    }

    /// How full it is.
    ///
    /// # Errors
    /// What the server says.
    pub async fn info(&self) -> Result<StreamInfo> {
        let found = self.jetstream().find_stream(self.name()).await?;
        let state = found.ok_or_else(|| crate::jetstream::gone("stream", self.name()))?.state;
        Ok(StreamInfo {
            name: self.name().to_owned(),
            messages: state.messages,
            bytes: state.bytes,
            first_sequence: state.first_sequence,
            last_sequence: state.last_sequence,
            consumers: state.consumer_count,
        })
    }

    /// Removes every message that `filter` matches, settled or not; returns how many.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`](flux_core::ErrorKind::InvalidSubject); else what the server says.
    pub async fn purge(&self, filter: &str) -> Result<u64> {
        #[derive(Deserialize)]
        struct Purged {
            purged: u64,
        }
        let filter = SubjectFilter::new(filter)?;
        let body = serde_json::json!({ "filter": filter.as_str() });
        let purged: Purged = self.jetstream().api(&format!("STREAM.PURGE.{}", self.name()), &body).await?;
        Ok(purged.purged)
    }

    /// The message at this place, if the stream still has it.
    pub(crate) async fn find(&self, sequence: u64) -> Result<Option<Message<Bytes>>> {
        #[derive(Deserialize)]
        struct Found {
            message: RawMessage,
        }
        let body = serde_json::json!({ "seq": sequence });
        let found = self.jetstream().api::<Found>(&format!("STREAM.MSG.GET.{}", self.name()), &body).await;
        let raw = match found {
            Ok(found) => found.message,
            Err(error) if server_code(&error) == Some(MESSAGE_NOT_FOUND) => return Ok(None),
            Err(error) => return Err(error),
        };
        let unreadable =
            |error| Error::new(ErrorKind::Codec, "the stream's message is not readable").with_source(error);
        let StreamMessage { subject, headers, payload, .. } = raw.try_into().map_err(unreadable)?;
        let length = payload.len();
        let (reply, status, description) = (None, None, None);
        let headers = Some(headers);
        let native = async_nats::Message { subject, reply, payload, headers, status, description, length };
        wire::message(&mut Subjects::new(), native).map(Some)
    }

    /// When the first message from this place on that `filter` matches was stored; `None` when there is none.
    pub(crate) async fn stored_at(&self, sequence: u64, filter: &str) -> Result<Option<SystemTime>> {
        #[derive(Deserialize)]
        struct Found {
            message: Stored,
        }
        #[derive(Deserialize)]
        struct Stored {
            time: String,
        }
        let body = serde_json::json!({ "seq": sequence, "next_by_subj": filter });
        let found = self.jetstream().api::<Found>(&format!("STREAM.MSG.GET.{}", self.name()), &body).await;
        let time = match found {
            Ok(found) => found.message.time,
            Err(error) if server_code(&error) == Some(MESSAGE_NOT_FOUND) => return Ok(None),
            Err(error) => return Err(error),
        };
        let time = async_nats::datetime::parse_rfc3339(&time);
        let time = time
            .map_err(|error| Error::new(ErrorKind::Other, "the server sent a time that is none").with_source(error))?;
        Ok(Some(time.into()))
    }

    pub(crate) fn shared_name(&self) -> &Arc<str> {
        &self.0.name
    }

    pub(crate) fn defaults(&self) -> &ConsumerConfig {
        &self.0.defaults
    }

    /// Whether the stream takes messages of this subject.
    pub(crate) fn takes(&self, subject: &Subject) -> bool {
        self.0.subjects.iter().any(|filter| filter.matches(subject))
    }
}

impl fmt::Debug for JsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsStream").field("name", &self.0.name).finish_non_exhaustive()
    }
}
