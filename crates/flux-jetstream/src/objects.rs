//! Object stores: what is larger than a message, put and got piece by piece.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_nats::jetstream::object_store as native;
use flux_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, ReadBuf};

use crate::JetStream;
use crate::config::{Compression, Discard, OnDifference, Storage, StreamConfig, check_name};
use crate::error::ServerError;

/// How an object store is to be.
///
/// Defaults: on disk, one replica, no limits.
#[derive(Debug, Clone)]
#[must_use]
pub struct ObjectStoreConfig {
    bucket: String,
    stream: StreamConfig,
}

impl ObjectStoreConfig {
    /// An object store of this name: letters, digits, `-` and `_`.
    pub fn new(bucket: impl Into<String>) -> Self {
        let bucket = bucket.into();
        let subjects = [format!("$O.{bucket}.C.>"), format!("$O.{bucket}.M.>")];
        let stream = StreamConfig::new(format!("OBJ_{bucket}"), subjects)
            .with_discard(Discard::New)
            .with_rollup()
            .with_direct_get();
        Self { bucket, stream }
    }

    fn changed(self, change: impl FnOnce(StreamConfig) -> StreamConfig) -> Self {
        Self { bucket: self.bucket, stream: change(self.stream) }
    }

    /// How long an object is kept; at least 100 ms.
    pub fn with_max_age(self, age: Duration) -> Self {
        self.changed(|stream| stream.with_max_age(age))
    }

    /// The most bytes the store holds; at least 1.
    pub fn with_max_bytes(self, bytes: u64) -> Self {
        self.changed(|stream| stream.with_max_bytes(bytes))
    }

    /// Where the store is kept.
    pub fn with_storage(self, storage: Storage) -> Self {
        self.changed(|stream| stream.with_storage(storage))
    }

    /// How a store on disk is compressed.
    pub fn with_compression(self, compression: Compression) -> Self {
        self.changed(|stream| stream.with_compression(compression))
    }

    /// On how many servers of a cluster: 1 to 5.
    pub fn with_replicas(self, replicas: usize) -> Self {
        self.changed(|stream| stream.with_replicas(replicas))
    }

    /// What happens when the store is there and differs. Default: an error that names each field.
    pub fn with_on_difference(self, on_difference: OnDifference) -> Self {
        self.changed(|stream| stream.with_on_difference(on_difference))
    }
}

/// Objects by name. Those that other NATS clients put can be got, and the other way round.
#[derive(Clone)]
pub struct ObjectStore {
    bucket: String,
    native: native::ObjectStore,
}

/// An object, as the store describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// Its name.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// The SHA-256 of its bytes, as `SHA-256=` and base64.
    pub digest: String,
}

/// An object that is being read. Each read may bring any part of it; the last one fails with
/// [`io::ErrorKind::InvalidData`] when the bytes do not have the checksum they were stored with.
pub struct ObjectReader {
    native: native::Object,
    info: ObjectInfo,
}

impl JetStream {
    /// The object store of this configuration: made if it is missing, compared if it is there.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub async fn object_store(&self, config: ObjectStoreConfig) -> Result<ObjectStore> {
        check_name("object store", &config.bucket)?;
        self.stream(config.stream).await?;
        let native = self.context().get_object_store(&config.bucket).await;
        let native = native.map_err(|error| failed(ErrorKind::Unavailable, error, "object_store"))?;
        Ok(ObjectStore { bucket: config.bucket, native })
    }

    /// Deletes an object store with all that is in it; tells whether there was one.
    ///
    /// # Errors
    /// What the server says.
    pub async fn delete_object_store(&self, bucket: &str) -> Result<bool> {
        self.delete_stream(&format!("OBJ_{bucket}")).await
    }
}

impl ObjectStore {
    /// Its name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Stores all that `reader` brings under this name, in place of what was there.
    ///
    /// # Cancel safety
    /// A future that is dropped leaves pieces in the store that belong to no object; what was there before stays.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is not a name, [`ErrorKind::Other`] when the reader fails, [`ErrorKind::Full`]; else
    /// what the server says.
    pub async fn put<R: AsyncRead + Unpin + Send>(&self, name: &str, reader: &mut R) -> Result<ObjectInfo> {
        use native::PutErrorKind as Kind;

        let put = self.native.put(name, reader).await;
        put.map(|info| read_info(&info)).map_err(|error| {
            let kind = match error.kind() {
                Kind::InvalidName => ErrorKind::InvalidInput,
                Kind::TimedOut => ErrorKind::TimedOut,
                Kind::PublishChunks | Kind::PublishMetadata => refusal(&error.to_string()),
                Kind::Other | Kind::PurgeOldChunks | Kind::ReadChunks => ErrorKind::Other,
            };
            failed(kind, error, "put")
        })
    }

    /// The object of this name, to be read; `None` when there is none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is not a name; else what the server says.
    pub async fn get(&self, name: &str) -> Result<Option<ObjectReader>> {
        use native::GetErrorKind as Kind;

        match self.native.get(name).await {
            Ok(native) if native.info().deleted => Ok(None),
            Ok(native) => Ok(Some(ObjectReader { info: read_info(native.info()), native })),
            Err(error) => match error.kind() {
                Kind::NotFound => Ok(None),
                Kind::InvalidName => Err(failed(ErrorKind::InvalidInput, error, "get")),
                Kind::TimedOut => Err(failed(ErrorKind::TimedOut, error, "get")),
                Kind::BucketLink | Kind::ConsumerCreate | Kind::Other => Err(failed(ErrorKind::Other, error, "get")),
            },
        }
    }

    /// What the store knows of an object; `None` when there is none.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn info(&self, name: &str) -> Result<Option<ObjectInfo>> {
        use native::InfoErrorKind as Kind;

        match self.native.info(name).await {
            Ok(info) => Ok((!info.deleted).then(|| read_info(&info))),
            Err(error) => match error.kind() {
                Kind::NotFound => Ok(None),
                Kind::InvalidName => Err(failed(ErrorKind::InvalidInput, error, "info")),
                Kind::TimedOut => Err(failed(ErrorKind::TimedOut, error, "info")),
                Kind::Other => Err(failed(ErrorKind::Other, error, "info")),
            },
        }
    }

    /// Deletes an object; tells whether there was one.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn delete(&self, name: &str) -> Result<bool> {
        if self.info(name).await?.is_none() {
            return Ok(false);
        }
        let deleted = self.native.delete(name).await;
        deleted.map(|()| true).map_err(|error| failed(ErrorKind::Unavailable, error, "delete"))
    }

    /// The objects there are.
    ///
    /// # Errors
    /// What the server says.
    pub async fn list(&self) -> Result<Vec<ObjectInfo>> {
        let list = self.native.list().await;
        let mut list = list.map_err(|error| failed(ErrorKind::Unavailable, error, "list"))?;
        let mut found = Vec::new();
        while let Some(info) = flux_core::next(Pin::new(&mut list)).await {
            found.push(read_info(&info.map_err(|error| failed(ErrorKind::Unavailable, error, "list"))?));
        }
        Ok(found)
    }
}

impl ObjectReader {
    /// What the store knows of it.
    #[must_use]
    pub fn info(&self) -> &ObjectInfo {
        &self.info
    }
}

impl AsyncRead for ObjectReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // The client fills the buffer before it finds that the checksum is wrong, which no reader may do.
        let mut piece = ReadBuf::new(buffer.initialize_unfilled());
        ready!(Pin::new(&mut self.native).poll_read(cx, &mut piece))?;
        let filled = piece.filled().len();
        buffer.advance(filled);
        Poll::Ready(Ok(()))
    }
}

fn read_info(native: &native::ObjectInfo) -> ObjectInfo {
    ObjectInfo {
        name: native.name.clone(),
        bytes: native.size as u64,
        digest: native.digest.clone().unwrap_or_default(),
    }
}

/// The kind of what the server said, of which the client keeps only the text: `maximum bytes exceeded (code 503, error code 10077)`.
fn refusal(text: &str) -> ErrorKind {
    let said = || {
        let (description, codes) = text.rsplit_once(" (code ")?;
        let (code, error_code) = codes.strip_suffix(')')?.split_once(", error code ")?;
        let (code, error_code) = (code.parse().ok()?, error_code.parse().ok()?);
        Some(ServerError { code, error_code, description: description.to_owned() })
    };
    said().map_or(ErrorKind::Unavailable, |error| error.kind())
}

fn failed(kind: ErrorKind, error: impl std::error::Error + Send + Sync + 'static, operation: &'static str) -> Error {
    Error::new(kind, "").with_source(error).with_operation(operation)
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

impl fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectReader").field("info", &self.info).finish_non_exhaustive()
    }
}
