//! What is published and replayed beyond the traits of the core is reported like the rest.

use flux_codec::Json;
use flux_core::{Failure, Message};
use flux_jetstream::{Replay, StreamBus as _};
use futures_util::StreamExt as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};

use crate::{config, jetstream};

fn order(number: u32) -> Message<u32> {
    Message::new("orders.traced", number).unwrap().with_id(number).unwrap()
}

#[tokio::test]
async fn pipelined_atomic_and_replayed_messages_have_spans() {
    let spans = InMemorySpanExporter::default();
    // Other tests of this process report to it, too; this one tells its own by their subject.
    opentelemetry::global::set_tracer_provider(
        SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build(),
    );
    let named = |name: &str| {
        let finished = spans.get_finished_spans().unwrap();
        finished.into_iter().filter(|span| span.name == name).collect::<Vec<_>>()
    };
    let stream = jetstream().await.stream(config().with_atomic_publish()).await.unwrap().typed(Json);
    let receipts = stream.publish_all(futures_util::stream::iter([order(1), order(2)]), 1).await.unwrap();
    assert!(receipts.all(async |receipt| receipt.is_ok()).await);
    assert_eq!(named("send orders.traced").len(), 2);
    stream.publish_atomic(vec![order(3), order(4)]).await.unwrap();
    assert_eq!(named("send orders.traced").len(), 4);

    let ids = std::sync::Mutex::new(Vec::new());
    let handler = async |message: Message<u32>| {
        let mut sent = flux_core::Headers::new();
        flux_core::Scope::stamp(&mut sent);
        ids.lock().unwrap().push((message.payload, sent.get("X-Causation-ID").map(str::to_owned)));
        if message.payload == 4 { Err(Failure::permanent("enough")) } else { Ok(()) }
    };
    assert!(stream.replay(Replay::all(), handler).await.is_err());
    let expected: Vec<_> = (1..=4).map(|number: u32| (number, Some(number.to_string()))).collect();
    assert_eq!(*ids.lock().unwrap(), expected, "the handler runs in its message's scope");
    let processed = named("process orders.traced");
    assert_eq!(processed.len(), 4);
    assert!(processed.iter().all(|span| span.links.len() == 1), "each is linked to where it was sent");
    let failed = |status: &opentelemetry::trace::Status| matches!(status, opentelemetry::trace::Status::Error { .. });
    assert_eq!(processed.iter().filter(|span| failed(&span.status)).count(), 1);
}
