//! What travels from publisher to handler to handler when only the contexts of recorded traces do; a program of its own, because
//! the setting is one for a process.
#![cfg(feature = "telemetry")]

use std::pin::pin;

use bytes::Bytes;
use flux_codec::Json;
use flux_core::telemetry::{Propagation, set_propagation};
use flux_core::{Failure, Headers, Message, Publisher as _, Subscriber as _, header, next};
use flux_mem::Mem;
use flux_router::Router;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, global};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider};

#[tokio::test]
async fn a_trace_is_whole_or_leaves_nothing_behind() {
    let spans = InMemorySpanExporter::default();
    let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
    let tracers = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).with_sampler(sampler).build();
    global::set_tracer_provider(tracers);
    set_propagation(Propagation::Sampled);

    let wire = Mem::new();
    let bus = wire.typed(Json);
    let out = bus.clone();
    let pack = move |order: Message<u32>| {
        let out = out.clone();
        async move {
            global::tracer("shop").in_span("pack", |_| ());
            out.publish("orders.packed", order.payload).await.map_err(Failure::retry)?;
            Ok::<(), Failure>(())
        }
    };
    let router = Router::new().route("orders.created", &bus, pack);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    let mut packed = pin!(wire.subscribe("orders.packed").await.unwrap());

    // No trace starts here, so none starts there.
    bus.publish("orders.created", 1_u32).await.unwrap();
    let first: Message<Bytes> = next(packed.as_mut()).await.unwrap().unwrap().message;
    assert_eq!(first.headers, Headers::with_content_type("application/json"));
    assert!(spans.get_finished_spans().unwrap().is_empty());

    // This one is recorded by whoever stands before us.
    let mut order = Message::new("orders.created", 2_u32).unwrap();
    order.headers.insert(header::TRACEPARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
    let sender = flux_core::Scope::continuing(&order.headers);
    sender.run(async { bus.publish("orders.created", 2_u32).await }).await.unwrap();
    let second: Message<Bytes> = next(packed.as_mut()).await.unwrap().unwrap().message;
    handle.settled().await.unwrap();
    let found = spans.get_finished_spans().unwrap();
    let mut names: Vec<_> = found.iter().map(|span| span.name.as_ref()).collect();
    names.sort_unstable();
    assert_eq!(names, ["pack", "process orders.created", "send orders.created", "send orders.packed"]);
    let last = found.iter().find(|span| span.name == "send orders.packed").unwrap();
    let written = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", last.span_context.span_id());
    assert_eq!(second.headers.get(&header::TRACEPARENT), Some(written.as_str()));
    assert!(!Context::current().span().span_context().is_valid(), "nothing is left on the thread");

    handle.stop();
    running.await.unwrap().unwrap();
}
