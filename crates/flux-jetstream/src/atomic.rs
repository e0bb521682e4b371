//! Batches that are stored whole or not at all (ADR-50).

use std::sync::Arc;

use async_nats::client::Request;
use async_nats::header::HeaderMap;
use bytes::Bytes;
use flux_core::{Error, ErrorKind, Message, Result};
use serde::Deserialize;

use crate::JsStream;
use crate::jetstream::during;
use crate::publisher::no_stream;
use crate::wire::{self, Receipt};

/// The most messages the server takes in one batch.
const MOST: usize = 1000;

/// All messages of a batch are in the stream, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredBatch {
    /// The stream's name.
    pub stream: Arc<str>,
    /// The place of the last one.
    pub last_sequence: u64,
    /// How many there are.
    pub messages: usize,
}

/// What the last message's receipt says beside its place.
#[derive(Deserialize)]
struct Count {
    count: Option<u64>,
}

pub(crate) async fn publish(stream: &JsStream, messages: Vec<Message<Bytes>>) -> Result<StoredBatch> {
    if messages.is_empty() || messages.len() > MOST {
        let text = format!("a batch has 1 to {MOST} messages, not {}", messages.len());
        return Err(Error::new(ErrorKind::InvalidInput, text).with_operation("publish"));
    }
    send(stream, &messages).await.map_err(during("publish"))
}

async fn send(stream: &JsStream, messages: &[Message<Bytes>]) -> Result<StoredBatch> {
    let (client, timeout) = (stream.jetstream().client(), stream.jetstream().timeout());
    let inbox = client.new_inbox();
    let batch = inbox.rsplit('.').next().unwrap_or(&inbox);
    let last = messages.len();
    for (number, message) in (1..).zip(messages) {
        let subject = flux_nats::wire::subject(&message.subject);
        let headers = headers(stream, message, batch, (number, number == last));
        // The first answer tells whether the stream takes batches at all, the last one whether it has stored this one.
        if number > 1 && number < last {
            let sent = client.publish_with_headers(subject, headers, message.payload.clone()).await;
            sent.map_err(flux_nats::error::from_publish)?;
            continue;
        }
        let request = Request::new().payload(message.payload.clone()).headers(headers).timeout(Some(timeout));
        let answer = client.send_request(subject, request).await;
        let answer = answer.map_err(|error| no_stream(flux_nats::error::from_request(error)))?;
        if number < last && answer.payload.is_empty() {
            continue;
        }
        let receipt = Receipt::read(&answer.payload)?;
        let count: Count = serde_json::from_slice(&answer.payload).map_err(crate::error::unreadable)?;
        if number < last || count.count.is_none() {
            return Err(Error::new(ErrorKind::Rejected, "the stream stores single messages, not batches"));
        }
        return Ok(StoredBatch { stream: receipt.stream.into(), last_sequence: receipt.sequence, messages: last });
    }
    Err(Error::new(ErrorKind::Other, "the batch ended without its last message"))
}

fn headers(stream: &JsStream, message: &Message<Bytes>, batch: &str, (number, is_last): (usize, bool)) -> HeaderMap {
    let mut headers = wire::headers(stream.jetstream().nats(), message).unwrap_or_default();
    headers.insert("Nats-Batch-Id", batch);
    headers.insert("Nats-Batch-Sequence", number.to_string());
    if is_last {
        headers.insert("Nats-Batch-Commit", "1");
    }
    headers
}
