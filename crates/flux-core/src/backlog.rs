//! How much of a subscription is not done yet.

use std::future::ready;
use std::time::Duration;

use crate::{BoxFuture, Result};

/// Tells how far a subscription is behind. Operators watch it, and tests wait on it instead of sleeping.
///
/// # Implementing
/// Count what the transport holds, not what has come this far: a message that is still on its way is outstanding. Do not keep
/// the subscription alive.
pub trait Backlog: Send + Sync {
    /// The backlog at this moment.
    ///
    /// # Errors
    /// When whoever knows cannot be asked.
    fn outstanding(&self) -> BoxFuture<'_, Result<Outstanding>>;

    /// Waits until whoever holds the messages has taken every settlement made so far. A drain ends with it. Provided: a
    /// settlement that returned is taken.
    ///
    /// # Errors
    /// When no confirmation came; what was settled last may be delivered again.
    fn confirm(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    /// How long ago the oldest message that is not settled was stored; `None` when there is none, or the transport does not
    /// know when its messages came. Default `None`.
    ///
    /// # Errors
    /// When whoever knows cannot be asked.
    fn oldest(&self) -> BoxFuture<'_, Result<Option<Duration>>> {
        Box::pin(ready(Ok(None)))
    }
}

/// A subscription's backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outstanding {
    /// The transport does not see messages end; it has accepted this many for the subscription since it began.
    Accepted(u64),
    /// The transport holds this many messages for the subscription that are not settled.
    Unsettled(u64),
}
