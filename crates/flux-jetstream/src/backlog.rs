//! What a consumer has still to see settled, as the server knows it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flux_core::{Backlog, BoxFuture, Outstanding, Result};

use crate::JsConsumer;
use crate::acker::Ledger;
use crate::consumer::WeakConsumer;

/// Asks the server each time. Does not keep the consumer: one that is gone has nothing left to do.
pub(crate) struct ConsumerBacklog {
    consumer: WeakConsumer,
    ledger: Arc<Ledger>,
}

impl ConsumerBacklog {
    pub(crate) fn new(consumer: &JsConsumer, ledger: &Arc<Ledger>) -> Self {
        Self { consumer: consumer.downgrade(), ledger: Arc::clone(ledger) }
    }
}

impl Backlog for ConsumerBacklog {
    fn outstanding(&self) -> BoxFuture<'_, Result<Outstanding>> {
        Box::pin(async {
            let Some(consumer) = self.consumer.upgrade() else { return Ok(Outstanding::Unsettled(0)) };
            let info = consumer.info().await?;
            Ok(Outstanding::Unsettled(info.pending + info.ack_pending))
        })
    }

    fn confirm(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.ledger.confirm_all())
    }

    fn oldest(&self) -> BoxFuture<'_, Result<Option<Duration>>> {
        Box::pin(async {
            let Some(consumer) = self.consumer.upgrade() else { return Ok(None) };
            let Some(stored) = consumer.oldest().await? else { return Ok(None) };
            // The server's clock may be ahead of this one.
            Ok(Some(SystemTime::now().duration_since(stored).unwrap_or_default()))
        })
    }
}
