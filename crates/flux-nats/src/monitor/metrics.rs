//! The events of connections as an OpenTelemetry metric.

use opentelemetry::{KeyValue, global};

use super::NatsEvent;

/// Counts the event, by its kind and the filter it is about. Events are rare, so the instrument is looked up each time: an SDK
/// that is installed late sees what comes after.
pub(super) fn count(event: &NatsEvent) {
    let mut attributes = vec![KeyValue::new("messaging.system", "nats"), KeyValue::new("flux.event", event.as_str())];
    if let NatsEvent::SlowConsumer { filter: Some(filter) } = event {
        attributes.push(KeyValue::new("messaging.destination.template", filter.to_string()));
    }
    let meter = global::meter("flux");
    let counter = meter.u64_counter("flux.nats.connection.events").with_unit("{event}");
    counter.with_description("What happened to connections.").build().add(1, &attributes);
}
