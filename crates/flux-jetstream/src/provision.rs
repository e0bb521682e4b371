//! Makes streams and consumers that are missing, and compares those that are there. Never changes one unasked.

use std::collections::HashMap;

use async_nats::jetstream::consumer::{self, IntoConsumerConfig};
use async_nats::jetstream::stream;
use flux_core::{Error, ErrorKind, Result, SubjectFilter};
use serde::{Deserialize, Serialize};

use crate::config::{ConsumerConfig, OnDifference, StreamConfig};
use crate::difference::{Difference, differences, refuse};
use crate::error::{CONSUMER_EXISTS, CONSUMER_NOT_FOUND, STREAM_NAME_IN_USE, STREAM_NOT_FOUND, server_code};
use crate::jetstream::{Nothing, during};
use crate::standing::Floor;
use crate::{JetStream, JsStream};

/// A stream, as the server describes it.
#[derive(Deserialize)]
pub(crate) struct FoundStream {
    pub(crate) config: stream::Config,
    pub(crate) state: stream::State,
}

/// A stream, and what it holds of what a filter matches.
#[derive(Deserialize)]
struct FilteredStream {
    config: stream::Config,
    state: FilteredState,
}

#[derive(Deserialize)]
struct FilteredState {
    subjects: Option<HashMap<String, u64>>,
}

/// A consumer, as the server describes it.
#[derive(Deserialize)]
pub(crate) struct FoundConsumer {
    pub(crate) name: String,
    pub(crate) config: consumer::Config,
    pub(crate) delivered: Place,
    pub(crate) ack_floor: Place,
    pub(crate) num_ack_pending: u64,
    pub(crate) num_redelivered: u64,
    pub(crate) num_pending: u64,
    pub(crate) num_waiting: u64,
}

#[derive(Deserialize)]
pub(crate) struct Place {
    pub(crate) consumer_seq: u64,
    pub(crate) stream_seq: u64,
}

impl FoundConsumer {
    pub(crate) fn floor(&self) -> Floor {
        Floor { next: self.ack_floor.stream_seq + 1, delivery: self.ack_floor.consumer_seq }
    }
}

#[derive(Serialize)]
struct MakeConsumer<'a> {
    stream_name: &'a str,
    config: &'a consumer::Config,
    action: &'static str,
}

impl JetStream {
    /// The stream of this configuration: made if it is missing, compared if it is there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](flux_core::ErrorKind::InvalidInput) when it is there and differs: the error names each field with both
    /// values, and nothing is changed, unless the configuration asks for it with [`OnDifference::Update`]. Also for a configuration that
    /// makes no sense, and [`ErrorKind::InvalidSubject`](flux_core::ErrorKind::InvalidSubject). Else what the server says.
    pub async fn stream(&self, config: StreamConfig) -> Result<JsStream> {
        let (native, subjects) = config.check()?;
        self.provision_stream(&native, config.on_difference).await.map_err(during("stream"))?;
        Ok(JsStream::new(self.clone(), &native.name, subjects))
    }

    /// A stream that somebody else made, taken as it is.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`](flux_core::ErrorKind::Rejected) when there is none of this name; else what the server says.
    pub async fn existing_stream(&self, name: &str) -> Result<JsStream> {
        crate::config::check_name("stream", name)?;
        let found: FoundStream =
            self.api(&format!("STREAM.INFO.{name}"), &Nothing {}).await.map_err(during("stream"))?;
        let subjects = found.config.subjects.iter().map(|filter| SubjectFilter::new(filter)).collect::<Result<_>>()?;
        Ok(JsStream::new(self.clone(), name, subjects))
    }

    /// In what a stream differs from this configuration; nothing when it is missing. Changes nothing.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub async fn differences(&self, config: &StreamConfig) -> Result<Vec<Difference>> {
        let (native, _) = config.check()?;
        match self.find_stream(&native.name).await? {
            Some(found) => differences(&native, &found.config),
            None => Ok(Vec::new()),
        }
    }

    /// Deletes a stream with all that is in it; tells whether there was one.
    ///
    /// # Errors
    /// What the server says.
    pub async fn delete_stream(&self, name: &str) -> Result<bool> {
        crate::config::check_name("stream", name)?;
        let deleted: Option<Done> = self.api_find(&format!("STREAM.DELETE.{name}"), STREAM_NOT_FOUND).await?;
        Ok(deleted.is_some_and(|deleted| deleted.success))
    }

    pub(crate) async fn find_stream(&self, name: &str) -> Result<Option<FoundStream>> {
        self.api_find(&format!("STREAM.INFO.{name}"), STREAM_NOT_FOUND).await
    }

    async fn provision_stream(&self, declared: &stream::Config, on_difference: OnDifference) -> Result<()> {
        let name = &declared.name;
        let Some(mut found) = self.find_stream(name).await? else {
            match self.api::<FoundStream>(&format!("STREAM.CREATE.{name}"), declared).await {
                // Somebody else was faster; now it is there, and compared.
                Err(error) if server_code(&error) == Some(STREAM_NAME_IN_USE) => {
                    return Box::pin(self.provision_stream(declared, on_difference)).await;
                }
                made => return made.map(drop),
            }
        };
        let differences = differences(declared, &found.config)?;
        if differences.is_empty() {
            return Ok(());
        }
        if on_difference == OnDifference::Refuse {
            return Err(refuse(&format!("stream `{name}`"), &differences));
        }
        // What the server keeps for itself in the metadata is not ours to remove.
        let mut update = declared.clone();
        found.config.metadata.retain(|key, _| key.starts_with("_nats."));
        update.metadata.extend(found.config.metadata);
        self.api::<FoundStream>(&format!("STREAM.UPDATE.{name}"), &update).await.map(drop)
    }

    /// The consumer of this configuration, made if it is missing.
    pub(crate) async fn provision_consumer(&self, stream: &str, config: &ConsumerConfig) -> Result<FoundConsumer> {
        let declared = config.check()?.into_consumer_config();
        let Some(name) = config.name() else { return self.make_consumer(stream, &declared, "").await };
        let Some(found) = self.find_consumer(stream, name).await? else {
            return match self.make_consumer(stream, &declared, "create").await {
                Err(error) if server_code(&error).is_some_and(|code| CONSUMER_EXISTS.contains(&code)) => {
                    Box::pin(self.provision_consumer(stream, config)).await
                }
                made => made,
            };
        };
        let differences = differences(&declared, &found.config)?;
        if differences.is_empty() {
            return Ok(found);
        }
        if config.on_difference == OnDifference::Refuse {
            return Err(refuse(&format!("consumer `{name}`"), &differences));
        }
        self.make_consumer(stream, &declared, "update").await
    }

    /// Whether the stream takes or holds anything that this filter matches, as the server has it now.
    pub(crate) async fn check_filter(&self, stream: &str, filter: &SubjectFilter) -> Result<()> {
        let body = serde_json::json!({ "subjects_filter": filter.as_str() });
        let FilteredStream { config, state } = self.api(&format!("STREAM.INFO.{stream}"), &body).await?;
        let overlaps = |subject: &String| SubjectFilter::new(subject).is_ok_and(|subject| subject.overlaps(filter));
        // What a stream gathers from others or renames has subjects that it does not list.
        let unlisted = config.mirror.is_some()
            || config.sources.is_some_and(|sources| !sources.is_empty())
            || config.subject_transform.is_some();
        if unlisted || !state.subjects.unwrap_or_default().is_empty() || config.subjects.iter().any(overlaps) {
            return Ok(());
        }
        let subjects = config.subjects.join("`, `");
        let text = format!("the filter `{filter}` matches nothing that stream `{stream}` takes, which is `{subjects}`");
        Err(Error::new(ErrorKind::Rejected, text))
    }

    pub(crate) async fn find_consumer(&self, stream: &str, name: &str) -> Result<Option<FoundConsumer>> {
        self.api_find(&format!("CONSUMER.INFO.{stream}.{name}"), CONSUMER_NOT_FOUND).await
    }

    /// Makes or changes a consumer and compares nothing.
    pub(crate) async fn make_consumer(
        &self,
        stream: &str,
        config: &consumer::Config,
        action: &'static str,
    ) -> Result<FoundConsumer> {
        let mut subject = format!("CONSUMER.CREATE.{stream}");
        if let Some(name) = &config.durable_name {
            subject = format!("{subject}.{name}");
            if !config.filter_subject.is_empty() {
                subject = format!("{subject}.{}", config.filter_subject);
            }
        }
        self.api(&subject, &MakeConsumer { stream_name: stream, config, action }).await
    }

    pub(crate) async fn delete_consumer(&self, stream: &str, name: &str) -> Result<bool> {
        let subject = format!("CONSUMER.DELETE.{stream}.{name}");
        let deleted: Option<Done> = self.api_find(&subject, CONSUMER_NOT_FOUND).await?;
        Ok(deleted.is_some_and(|deleted| deleted.success))
    }
}

/// The answer to a deletion.
#[derive(Deserialize)]
pub(crate) struct Done {
    pub(crate) success: bool,
}
