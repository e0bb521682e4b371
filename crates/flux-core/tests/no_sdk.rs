//! With telemetry compiled in and no SDK installed, a message costs no allocation of telemetry's.

use std::alloc::System;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use flux_core::telemetry::Relation;
use flux_core::{Bytes, Codec, Headers, Message, Publisher, Result, Telemetry, Typed, filter, header, subject};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 20;
const MESSAGES: usize = 1_000;

/// The allocations of a thousand calls. The fewest of several rounds, because the test harness has threads of its own.
fn allocations(mut call: impl FnMut()) -> usize {
    call();
    let round = |_| {
        let region = Region::new(ALLOCATOR);
        (0..MESSAGES).for_each(|_| call());
        let change = region.change();
        change.allocations + change.reallocations
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("must be ready at once"),
    }
}

/// Takes everything and keeps nothing.
struct Nowhere;

impl Publisher<Bytes> for Nowhere {
    type Receipt = ();

    async fn send(&self, message: Message<Bytes>) -> Result<()> {
        assert_eq!(message.payload.len(), 8);
        Ok(())
    }
}

struct BigEndian;

impl Codec<u64> for BigEndian {
    fn content_type(&self) -> &'static str {
        "application/octet-stream"
    }

    fn encode(&self, value: &u64, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn decode(&self, payload: &Bytes) -> Result<u64> {
        Ok(payload.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    }
}

#[test]
fn without_an_sdk_telemetry_allocates_nothing() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), MESSAGES, "the allocator is counted");

    let (transport, route) = (Telemetry::new("mem"), Telemetry::for_route(filter!("orders.>")));
    let mut headers = Headers::with_content_type("text/plain");
    let sending = || transport.send(&subject!("orders.created"), &mut headers).finish(Ok(()));
    assert_eq!(allocations(sending), 0, "send");

    let handling = || {
        let (scope, processing) = route.process(&subject!("orders.created"), &headers, Relation::Link);
        ready(scope.run(async {}));
        processing.finish(None);
    };
    assert_eq!(allocations(handling), 0, "process");
    assert_eq!(headers.get(&header::TRACEPARENT), None);

    let bus = Typed::new(Nowhere, BigEndian);
    let publishing = || ready(bus.send(Message::to(subject!("orders.created"), 7_u64))).expect("taken");
    assert_eq!(allocations(publishing), MESSAGES, "a typed message is its payload, and nothing else");
}
