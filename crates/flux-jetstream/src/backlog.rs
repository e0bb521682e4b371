//! What a consumer has still to see settled, as the server knows it.

use std::time::{Duration, SystemTime};

use flux_core::{Backlog, BoxFuture, Outstanding, Result};

use crate::JsConsumer;
use crate::consumer::WeakConsumer;

/// Asks the server each time. Does not keep the consumer: one that is gone has nothing left to do.
pub(crate) struct ConsumerBacklog(WeakConsumer);

impl ConsumerBacklog {
    pub(crate) fn of(consumer: &JsConsumer) -> Self {
        Self(consumer.downgrade())
    }
}

impl Backlog for ConsumerBacklog {
    fn outstanding(&self) -> BoxFuture<'_, Result<Outstanding>> {
        Box::pin(async {
            let Some(consumer) = self.0.upgrade() else { return Ok(Outstanding::Unsettled(0)) };
            let info = consumer.info().await?;
            Ok(Outstanding::Unsettled(info.pending + info.ack_pending))
        })
    }

    fn oldest(&self) -> BoxFuture<'_, Result<Option<Duration>>> {
        Box::pin(async {
            let Some(consumer) = self.0.upgrade() else { return Ok(None) };
            let Some(stored) = consumer.oldest().await? else { return Ok(None) };
            // The server's clock may be ahead of this one.
            Ok(Some(SystemTime::now().duration_since(stored).unwrap_or_default()))
        })
    }
}
