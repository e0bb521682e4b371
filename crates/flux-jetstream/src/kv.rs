//! Key-value buckets: the newest message of each subject of a stream, as values.

mod config;
mod entry;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use async_nats::client::Request;
use bytes::Bytes;
use flux_core::__private::read;
use flux_core::{
    Codec, ErrorKind, HeaderValue, Headers, Message, Publisher as _, Result, Subject, SubjectFilter, Subscriber as _,
};

pub use config::KvConfig;
pub use entry::{Change, Entry, Watch};

use crate::jetstream::during;
use crate::replay;
use crate::{ConsumerConfig, DeliverPolicy, JetStream, JsStream, PublishOptions, Replay};

/// Marks a message as the end of a key.
pub(crate) const OPERATION: &str = "KV-Operation";

/// A bucket of keys and values.
///
/// Keys are subjects: tokens separated by dots. Every value has a revision, its place in the bucket's stream. Values are encoded by
/// the bucket's codec; each call may read or write another type.
///
/// Buckets are those of other NATS clients: what one puts, the others get.
#[derive(Clone)]
pub struct KeyValue<C> {
    bucket: String,
    stream: JsStream,
    codec: C,
}

impl JetStream {
    /// The bucket of this configuration: made if it is missing, compared if it is there.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub async fn key_value<C>(&self, config: KvConfig, codec: C) -> Result<KeyValue<C>> {
        let bucket = config.bucket.clone();
        let stream = self.stream(config.into_stream()?).await?;
        Ok(KeyValue { bucket, stream, codec })
    }

    /// Deletes a bucket with all that is in it; tells whether there was one.
    ///
    /// # Errors
    /// What the server says.
    pub async fn delete_key_value(&self, bucket: &str) -> Result<bool> {
        self.delete_stream(&format!("KV_{bucket}")).await
    }
}

impl<C: Send + Sync> KeyValue<C> {
    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The stream it is kept in.
    #[must_use]
    pub fn stream(&self) -> &JsStream {
        &self.stream
    }

    /// The value of a key; `None` when it has none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`] for what is not a key, [`ErrorKind::Codec`] for a value that is not a `T`; else what the server says.
    pub async fn get<T>(&self, key: &str) -> Result<Option<T>>
    where
        C: Codec<T>,
    {
        Ok(self.entry(key).await?.map(|entry| entry.value))
    }

    /// The value of a key with its revision.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn entry<T>(&self, key: &str) -> Result<Option<Entry<T>>>
    where
        C: Codec<T>,
    {
        match self.newest(key).await.map_err(during("get"))? {
            Some((message, revision)) => match self.change(&message, revision)? {
                Change::Put(entry) => Ok(Some(entry)),
                Change::Deleted { .. } => Ok(None),
            },
            None => Ok(None),
        }
    }

    /// Sets a key; returns the revision.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`] for what is not a key, [`ErrorKind::Codec`]; else as when publishing.
    pub fn put<T: Send>(&self, key: &str, value: T) -> impl Future<Output = Result<u64>> + Send
    where
        C: Codec<T>,
    {
        self.write(key, value, &PublishOptions::new())
    }

    /// Sets a key that has no value; returns the revision.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] when it has one; else as [`put`](Self::put).
    pub async fn create<T: Send>(&self, key: &str, value: T) -> Result<u64>
    where
        C: Codec<T>,
    {
        self.create_with(key, value, PublishOptions::new()).await
    }

    /// As [`create`](Self::create), for a value that is gone after `ttl`; at least 1 s. The bucket must allow it:
    /// [`KvConfig::with_delete_marker_ttl`].
    ///
    /// # Errors
    /// As [`create`](Self::create), and [`ErrorKind::InvalidInput`] for a shorter time.
    pub async fn create_with_ttl<T: Send>(&self, key: &str, value: T, ttl: Duration) -> Result<u64>
    where
        C: Codec<T>,
    {
        self.create_with(key, value, PublishOptions::new().with_ttl(ttl)).await
    }

    async fn create_with<T: Send>(&self, key: &str, value: T, options: PublishOptions) -> Result<u64>
    where
        C: Codec<T>,
    {
        let message = self.encode(key, value)?;
        let first = options.clone().with_expected_last_subject_sequence(0);
        let error = match self.stream.send(first.apply(message.clone())?).await {
            Ok(stored) => return Ok(stored.sequence),
            Err(error) => error,
        };
        // What was deleted has left a marker; it is replaced, if nobody else is faster.
        match self.newest(key).await? {
            Some((found, revision)) if error.kind() == ErrorKind::Rejected && entry::is_marker(&found) => {
                let options = options.with_expected_last_subject_sequence(revision);
                Ok(self.stream.send(options.apply(message)?).await?.sequence)
            }
            _ => Err(error),
        }
    }

    /// Sets a key whose value has this revision; returns the new one.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] when it has another revision; else as [`put`](Self::put).
    pub async fn update<T: Send>(&self, key: &str, value: T, revision: u64) -> Result<u64>
    where
        C: Codec<T>,
    {
        self.write(key, value, &PublishOptions::new().with_expected_last_subject_sequence(revision)).await
    }

    /// Deletes a key. Its history stays.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn delete(&self, key: &str) -> Result<()> {
        self.end(key, HeaderValue::from_static("DEL"), PublishOptions::new()).await
    }

    /// Deletes a key whose value has this revision.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn delete_revision(&self, key: &str, revision: u64) -> Result<()> {
        let options = PublishOptions::new().with_expected_last_subject_sequence(revision);
        self.end(key, HeaderValue::from_static("DEL"), options).await
    }

    /// Deletes a key with its history.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn purge(&self, key: &str) -> Result<()> {
        self.end(key, HeaderValue::from_static("PURGE"), PublishOptions::new().with_rollup_of_subject()).await
    }

    /// What is kept of a key's past, oldest first, deletions included.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn history<T: Send>(&self, key: &str) -> Result<Vec<Change<T>>>
    where
        C: Codec<T>,
    {
        let subject = self.subject(key)?;
        let what = Replay::all().with_filter(subject.as_str());
        let changes = replay::collect(&self.stream, what, |message, revision| Some((message, revision))).await?;
        changes.iter().map(|(message, revision)| self.change(message, *revision)).collect()
    }

    /// The keys that have a value.
    ///
    /// # Errors
    /// What the server says.
    pub async fn keys(&self) -> Result<Vec<String>> {
        let with_value = |message: Message<Bytes>, _| (!entry::is_marker(&message)).then_some(message.subject);
        let subjects = replay::collect(&self.stream, Replay::last_per_subject(), with_value).await?;
        Ok(subjects.iter().filter_map(|subject| self.key(subject)).collect())
    }

    /// The newest change of each key that `filter` matches, and every change from then on. Goes on by itself when the connection
    /// was lost.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`]; else what the server says.
    pub async fn watch<T>(&self, filter: &str) -> Result<Watch<T, C>>
    where
        C: Codec<T> + Clone,
    {
        SubjectFilter::new(filter)?;
        let filter = format!("{}{filter}", self.prefix());
        let config = ConsumerConfig::ephemeral().with_deliver_policy(DeliverPolicy::LastPerSubject);
        let deliveries = self.stream.ordered(config).subscribe(&filter).await?;
        Ok(Watch::new(deliveries, self.clone()))
    }

    fn prefix(&self) -> String {
        format!("$KV.{}.", self.bucket)
    }

    fn subject(&self, key: &str) -> Result<Subject> {
        Subject::new(key)?;
        Subject::new(&format!("{}{key}", self.prefix()))
    }

    fn key(&self, subject: &Subject) -> Option<String> {
        subject.as_str().strip_prefix(&self.prefix()).map(str::to_owned)
    }

    fn encode<T>(&self, key: &str, value: T) -> Result<Message<Bytes>>
    where
        C: Codec<T>,
    {
        let subject = self.subject(key)?;
        let bytes = self.codec.to_bytes(value, &mut Vec::new()).map_err(during("encode"))?;
        Ok(Message::to(subject, bytes).with_headers(Headers::with_content_type(self.codec.content_type())))
    }

    fn write<T: Send>(
        &self,
        key: &str,
        value: T,
        options: &PublishOptions,
    ) -> impl Future<Output = Result<u64>> + Send + use<'_, T, C>
    where
        C: Codec<T>,
    {
        let message = self.encode(key, value).and_then(|message| options.apply(message));
        async move { Ok(self.stream.send(message?).await?.sequence) }
    }

    async fn end(&self, key: &str, operation: HeaderValue, options: PublishOptions) -> Result<()> {
        let message = Message::to(self.subject(key)?, Bytes::new()).with_header(OPERATION, operation)?;
        self.stream.send(options.apply(message)?).await.map(drop)
    }

    /// The newest message of a key and its revision, markers of deletion included.
    async fn newest(&self, key: &str) -> Result<Option<(Message<Bytes>, u64)>> {
        let subject = self.subject(key)?;
        let jetstream = self.stream.jetstream();
        let address = format!("{}.DIRECT.GET.{}.{subject}", jetstream.prefix(), self.stream.name());
        let request = Request::new().timeout(Some(jetstream.timeout()));
        let answer = jetstream.client().send_request(address, request).await;
        let answer = answer.map_err(|error| crate::error::no_jetstream(flux_nats::error::from_request(error)))?;
        entry::read_direct(answer, subject)
    }

    fn change<T>(&self, message: &Message<Bytes>, revision: u64) -> Result<Change<T>>
    where
        C: Codec<T>,
    {
        let key = self.key(&message.subject).unwrap_or_default();
        if entry::is_marker(message) {
            return Ok(Change::Deleted { key, revision });
        }
        let value = read(&self.codec, message).map_err(during("decode"))?;
        Ok(Change::Put(Entry { key, value, revision }))
    }
}

impl<C> fmt::Debug for KeyValue<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValue").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}
