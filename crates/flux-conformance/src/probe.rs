//! Finds out which traits a transport implements, whatever it says about itself.

use std::marker::PhantomData;

use flux_core::{Consumer, QueueSubscriber, Requester, Responder, Settle, Subscriber};

use crate::{Capabilities, Fixture};

/// Stands for a bus of type `B` with payload `P`.
///
/// The compiler takes the method of a `Has…` trait where its bounds hold, and that of the `Lacks…` trait, one reference further
/// away, where they do not. It can do that only where the types are known, so the macro asks, not a generic function.
#[derive(Debug)]
pub struct Probe<B, P>(PhantomData<fn() -> (B, P)>);

impl<B, P> Probe<B, P> {
    /// Asks about these types.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<B, P> Default for Probe<B, P> {
    fn default() -> Self {
        Self::new()
    }
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Queue groups.
    pub groups: bool,
    /// Request and reply.
    pub requests: bool,
    /// Fetch.
    pub pull: bool,
}

macro_rules! probes {
    ($($has:ident $lacks:ident $method:ident: $bound:path $(, $more:path)?;)*) => {$(
        /// The type has it.
        pub trait $has {
            /// Whether it does.
            fn $method(&self) -> bool {
                true
            }
        }
        impl<B: $bound $(+ $more)?, P> $has for Probe<B, P> {}

        /// The type lacks it.
        pub trait $lacks {
            /// Whether it does not.
            fn $method(&self) -> bool {
                false
            }
        }
        impl<B, P> $lacks for &Probe<B, P> {}
    )*};
}

probes! {
    HasGroups LacksGroups groups: QueueSubscriber<P>;
    HasRequests LacksRequests requests: Requester<P, P>, Responder<P, P>;
    HasPull LacksPull pull: Consumer<P>;
}

/// What a transport says about itself against what its types say and which parts of the suite it runs. `None` when they agree.
#[must_use]
pub fn disagreement<F: Fixture>(found: Found, parts: &[&str]) -> Option<String> {
    let Capabilities { redelivers, outcomes, requests, pull, groups, .. } = F::capabilities();
    let acker = <<F::Bus as Subscriber<F::Payload>>::Acker as Settle>::REDELIVERS;
    let restarts = parts.contains(&"restarts");
    // A bus without `fetch` may still hand out consumers, so for pull only hiding shows.
    let facts = [
        ("redelivers", "redelivery", redelivers, acker && !outcomes),
        ("outcomes", "outcomes as answers", outcomes, outcomes && acker && !redelivers),
        ("requests", "request-reply", requests, found.requests),
        ("groups", "queue groups", groups, found.groups),
        ("pull", "pull", pull, pull || found.pull),
        ("restarts_requests", "requests after a restart", restarts && requests, restarts && found.requests),
        ("restarts_stored", "redelivery after a restart", restarts && redelivers, restarts && acker),
    ];
    facts.into_iter().find_map(|(part, what, claimed, there)| {
        let (name, proven) = (F::NAME, parts.contains(&part));
        match (claimed, there) {
            (true, false) => Some(format!("{name} claims {what}, but its types do not have it")),
            (false, true) => Some(format!("{name} has {what}, but does not declare it")),
            (true, true) if !proven => Some(format!("{name} claims {what}, but its suite lacks the part `{part}`")),
            (false, false) if proven => Some(format!("{name} proves {what}, but does not declare it")),
            _ => None,
        }
    })
}
