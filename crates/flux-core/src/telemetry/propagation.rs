//! Which traces travel with messages, and the trace of what came without one.

use std::cell::Cell;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

static OMITS_UNSAMPLED: AtomicBool = AtomicBool::new(false);

/// Which trace contexts travel with the messages that this process sends, and what it makes of a message without one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Propagation {
    /// All of them, as the W3C recommends: whether a trace is recorded is told to the next one. A message without a context
    /// starts a trace of its own at its receiver.
    #[default]
    All,
    /// Those of traces that are recorded. A message without a context is taken for one whose trace is not: its handler is not
    /// recorded, and neither is, with a sampler that follows the parent, what it sends and the spans made inside of it.
    ///
    /// Saves a header on each message whose trace is not recorded. Its price: what comes from senders that trace nothing
    /// is not traced either, and a receiver cannot sample otherwise than its senders did. Traces start only where something
    /// is sent that no handler sends. For processes that all send this way; see `docs/decisions/0015-sampled-contexts-travel.md`.
    Sampled,
}

impl Propagation {
    pub(super) fn of_process() -> Self {
        if OMITS_UNSAMPLED.load(Ordering::Relaxed) { Self::Sampled } else { Self::All }
    }
}

/// Sets what travels with the messages of this process. Default [`Propagation::All`].
///
/// Libraries leave it alone; a program that installs its SDK by itself calls it once, before its first message: each transport and
/// route looks when its own first message passes. `flux-telemetry` calls it with what its set-up was given.
pub fn set_propagation(propagation: Propagation) {
    OMITS_UNSAMPLED.store(propagation == Propagation::Sampled, Ordering::Relaxed);
}

/// A context that is not recorded, in a trace of its own: log lines of different messages do not get the same id.
pub(super) fn unsampled() -> SpanContext {
    let trace = TraceId::from(u128::from(random()) << 64 | u128::from(random()));
    SpanContext::new(trace, SpanId::from(random()), TraceFlags::NOT_SAMPLED, false, TraceState::NONE)
}

/// A number that is not zero. `SplitMix64`, seeded per thread: ids must differ, and need not be secret.
fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0));
    }
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_that_are_not_recorded_have_ids_of_their_own() {
        let (one, other) = (unsampled(), unsampled());
        assert!(one.is_valid() && other.is_valid() && !one.is_sampled());
        assert_ne!(one.trace_id(), other.trace_id());
        assert_ne!(one.span_id(), other.span_id());
    }
}
