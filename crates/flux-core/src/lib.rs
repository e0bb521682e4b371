#![doc = include_str!("../README.md")]

mod backlog;
mod bound;
mod codec;
mod consumer;
mod delivery;
mod error;
mod event_name;
mod failure;
mod filter;
pub mod header;
mod headers;
mod inline;
mod instance;
mod message;
mod metadata;
mod next;
mod panic;
mod per_thread;
mod publisher;
mod remote;
mod request;
mod retry_after;
mod scope;
mod settle;
mod stage;
mod status;
mod subject;
mod subscriber;
#[cfg_attr(not(feature = "telemetry"), path = "telemetry/off.rs")]
pub mod telemetry;
mod text;
mod topic;
mod typed;

use std::future::Future;
use std::pin::Pin;

pub use backlog::{Backlog, Outstanding};
pub use bound::{Bound, BoundRequest, bind};
pub use bytes::Bytes;
pub use codec::{Codec, same_media_type};
pub use consumer::{ArcConsumer, Batch, BoxConsumer, Consumer, DynConsumer};
pub use delivery::{Delivery, Undecodable};
pub use error::{Error, ErrorKind, Result};
pub use event_name::{Domain, Entity};
pub use failure::{Cause, Failure, FailureClass, OrFail};
pub use filter::SubjectFilter;
pub use header::{HeaderName, HeaderValue};
pub use headers::{AsName, Headers};
pub use inline::{OnArrival, Registration};
pub use instance::Instance;
pub use message::Message;
pub use metadata::{Facts, Metadata};
pub use next::next;
pub use publisher::{ArcPublisher, BoxPublisher, DynPublisher, Forwarded, Publisher};
pub use remote::RemoteError;
pub use request::{
    ArcRequester, ArcResponder, BoxReply, BoxRequester, BoxRequests, BoxResponder, DynReply, DynRequester,
    DynResponder, Reply, Requester, Responder,
};
pub use retry_after::RetryAfter;
pub use scope::{Scope, Scoped};
pub use settle::{Acker, BoxAcker, BoxSettle, DynAcker, DynSettle, IntoOutcome, NoAck, Outcome, Settle, Unreadable};
pub use stage::{ArcStage, BoxStage, DynStage, Handler, Stage};
pub use status::Status;
pub use subject::Subject;
pub use subscriber::{
    ArcQueueSubscriber, ArcSubscriber, BoxDeliveries, BoxQueueSubscriber, BoxSubscriber, DynQueueSubscriber,
    DynSubscriber, QueueSubscriber, Subscriber,
};
pub use telemetry::Telemetry;
pub use topic::Topic;
pub use typed::{Typed, TypedDeliveries, TypedReply, TypedRequests};

/// For the other crates of flux; no part of what stays as it is.
#[doc(hidden)]
pub mod __private {
    pub use crate::panic::panic_text;
    pub use crate::per_thread::PerThread;
    pub use crate::typed::read;
}

/// A boxed future, as the object-safe twins return it.
pub type BoxFuture<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;
