//! The stream in memory, with a small backlog and with a large one.

use std::sync::Arc;

use crate::contender::Contender;
use crate::contender::stream::Stream;
use crate::limit::Limit;
use crate::suite::Suite;

const THOUSAND: &str = "flux stream, 1,000 pending";
const MILLION: &str = "flux stream, 1,000,000 pending";

/// The suite.
#[must_use]
pub fn suite() -> Suite {
    let contender = |name, pending| -> Arc<dyn Contender> { Arc::new(Stream { name, pending }) };
    Suite {
        command: "stream",
        title: "Stream in memory: publish, handle, ack",
        method: "One thread publishes as many messages of 128 bytes as are to be pending, then the router handles and acks \
                 them; both are measured. The stream is a work queue, so what is acked is gone.",
        messages: 1_000_000,
        contenders: vec![
            contender(THOUSAND, 1_000),
            contender("flux stream, 30,000 pending", 30_000),
            contender(MILLION, 1_000_000),
        ],
        limits: vec![
            Limit::Rate { contender: THOUSAND, at_least: 1.0 },
            Limit::Rate { contender: MILLION, at_least: 1.0 },
            Limit::Times { contender: MILLION, at_least: 0.8, other: THOUSAND },
        ],
    }
}
