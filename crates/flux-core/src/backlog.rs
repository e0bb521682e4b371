//! How much of a subscription is not done yet.

/// Tells how far a subscription is behind. Tests wait on it instead of sleeping.
pub trait Backlog: Send + Sync {
    /// The backlog at this moment.
    fn outstanding(&self) -> Outstanding;
}

/// A subscription's backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outstanding {
    /// The transport does not see messages end; it has accepted this many for the subscription since it began.
    Accepted(u64),
    /// The transport holds this many messages for the subscription that are not settled.
    Unsettled(u64),
}
