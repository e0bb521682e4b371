//! Finding the subscription that a subject belongs to, among few and among many.

use std::sync::Arc;

use crate::contender::Contender;
use crate::contender::trie::Trie;
use crate::limit::Limit;
use crate::suite::Suite;

const ONE: &str = "flux, 1 subscription";
const MILLION: &str = "flux, 1,000,000 subscriptions";

/// The suite.
#[must_use]
pub fn suite() -> Suite {
    let contender = |name, subscriptions| -> Arc<dyn Contender> { Arc::new(Trie { name, subscriptions }) };
    Suite {
        command: "trie",
        title: "Matching: one publish among many subscriptions",
        method: "One thread publishes to a subject of four tokens that one subscription takes, whose queue is full; finding \
                 it is what is measured. The hash tables of a million subscriptions do not fit the processor's caches, \
                 which is the difference that is left.",
        messages: 1_000_000,
        contenders: vec![
            contender(ONE, 1),
            contender("flux, 1,000 subscriptions", 1_000),
            contender(MILLION, 1_000_000),
        ],
        limits: vec![Limit::Times { contender: MILLION, at_least: 0.8, other: ONE }],
    }
}
