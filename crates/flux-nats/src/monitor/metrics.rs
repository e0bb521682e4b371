//! The events of connections as an OpenTelemetry metric.

use flux_core::telemetry::semconv;
use opentelemetry::{KeyValue, global};

use super::NatsEvent;

/// Counts the event, by its kind and the filter it is about. Events are rare, so the instrument is looked up each time: an SDK
/// that is installed late sees what comes after.
pub(super) fn count(event: &NatsEvent) {
    let mut attributes = vec![KeyValue::new(semconv::SYSTEM, "nats"), KeyValue::new(semconv::EVENT, event.as_str())];
    if let NatsEvent::SlowConsumer { filter: Some(filter) } = event {
        attributes.push(KeyValue::new(semconv::DESTINATION_TEMPLATE, filter.to_string()));
    }
    let meter = global::meter("flux");
    let counter = meter.u64_counter(semconv::NATS_CONNECTION_EVENTS).with_unit("{event}");
    counter.with_description("What happened to connections.").build().add(1, &attributes);
}
