//! Brings a lost subscription back: finds its consumer again, or makes one that goes on where it was.

use std::time::Duration;

use async_nats::jetstream::consumer::IntoConsumerConfig as _;
use flux_core::{Error, ErrorKind, Result};
use tokio::time::sleep;

use crate::JsConsumer;
use crate::error::{CONSUMER_EXISTS, STREAM_NOT_FOUND, server_code};
use crate::inbox::Inbox;

/// The first pause between two attempts; each is twice as long as the one before, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// A subscription that can go on.
pub(super) struct Rebuilt {
    pub(super) inbox: Inbox,
    /// The consumer was made anew.
    pub(super) recreated: bool,
}

/// Tries until it succeeds. Fails when there is nothing to go back to. `anew` takes a new consumer even if the old one is there.
pub(super) async fn rebuild(consumer: JsConsumer, floor: u64, anew: bool) -> Result<Rebuilt> {
    if anew {
        // If this fails, the server deletes it when it was not used for a while.
        let _ = consumer.jetstream().delete_consumer(consumer.stream().name(), &consumer.name()).await;
    }
    let mut pause = FIRST_PAUSE;
    loop {
        // The server is given a moment: who has just lost its leader has no other one yet.
        sleep(pause).await;
        match attempt(&consumer, floor).await {
            Ok(rebuilt) => return Ok(rebuilt),
            Err(error) if !error.is_retryable() => return Err(error.with_operation("subscribe")),
            Err(_) => pause = (pause * 2).min(LAST_PAUSE),
        }
    }
}

async fn attempt(consumer: &JsConsumer, floor: u64) -> Result<Rebuilt> {
    let (jetstream, stream, name) = (consumer.jetstream(), consumer.stream().name(), consumer.name());
    let found = match jetstream.find_consumer(stream, &name).await {
        Err(error) if server_code(&error) == Some(STREAM_NOT_FOUND) => {
            let text = format!("stream `{stream}` was deleted");
            return Err(Error::new(ErrorKind::Rejected, text).with_source(error));
        }
        found => found?,
    };
    let recreated = found.is_none();
    if recreated {
        let config = consumer.config().going_on(floor, consumer.begin()).check()?.into_consumer_config();
        let action = if consumer.config().name().is_some() { "create" } else { "" };
        match jetstream.make_consumer(stream, &config, action).await {
            Ok(made) => consumer.rename(&made.name),
            // Another member of the group was faster.
            Err(error) if server_code(&error).is_some_and(|code| CONSUMER_EXISTS.contains(&code)) => {}
            Err(error) => return Err(error),
        }
    }
    let inbox = Inbox::open(jetstream, stream, &consumer.name()).await?;
    Ok(Rebuilt { inbox, recreated })
}
