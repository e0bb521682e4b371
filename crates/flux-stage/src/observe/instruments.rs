//! OpenTelemetry's instruments for one stage, with attributes made once.

use std::time::Duration;

use flux_core::telemetry::{meter, semconv};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, UpDownCounter};

use super::metrics::{End, MetricsSink};

pub(super) struct Instruments {
    calls: Counter<u64>,
    active: UpDownCounter<i64>,
    duration: Histogram<f64>,
    retries: Counter<u64>,
    circuit: Gauge<u64>,
    circuit_changes: Counter<u64>,
    batch: Histogram<u64>,
    stage: [KeyValue; 1],
    ended: [[KeyValue; 2]; 3],
}

impl Instruments {
    /// Those of the global meter, if it is one that collects.
    pub(super) fn installed(stage: &str) -> Option<Self> {
        let meter = meter()?;
        let stage = KeyValue::new(semconv::STAGE, stage.to_owned());
        let ended = [End::Dropped, End::Error, End::Ok];
        Some(Self {
            calls: meter.u64_counter(semconv::STAGE_CALLS).with_description("Calls that ended, by how.").build(),
            active: meter.i64_up_down_counter(semconv::STAGE_ACTIVE).with_description("Calls in flight.").build(),
            duration: meter
                .f64_histogram(semconv::STAGE_DURATION)
                .with_unit("s")
                .with_description("How long calls took.")
                .with_boundaries(semconv::DURATION_BUCKETS.to_vec())
                .build(),
            retries: meter.u64_counter(semconv::STAGE_RETRIES).with_description("Attempts after the first.").build(),
            circuit: meter
                .u64_gauge(semconv::STAGE_CIRCUIT_STATE)
                .with_description("The circuit breaker: 0 closed, 1 half open, 2 open.")
                .build(),
            circuit_changes: meter
                .u64_counter(semconv::STAGE_CIRCUIT_CHANGES)
                .with_description("Changes of the circuit breaker, by the state it went into.")
                .build(),
            batch: meter.u64_histogram(semconv::STAGE_BATCH_ITEMS).with_description("Items in a batch.").build(),
            ended: ended.map(|end| [stage.clone(), KeyValue::new(semconv::STAGE_END, end.as_str())]),
            stage: [stage],
        })
    }
}

impl MetricsSink for Instruments {
    fn started(&self, _: &str) {
        self.active.add(1, &self.stage);
    }

    fn ended(&self, _: &str, after: Duration, end: End) {
        let [dropped, error, ok] = &self.ended;
        let attributes = match end {
            End::Dropped => dropped,
            End::Error => error,
            End::Ok => ok,
        };
        self.active.add(-1, &self.stage);
        self.calls.add(1, attributes);
        self.duration.record(after.as_secs_f64(), attributes);
    }

    fn retried(&self, _: &str) {
        self.retries.add(1, &self.stage);
    }

    fn circuit(&self, _: &str, state: &'static str) {
        let [stage] = &self.stage;
        let number = ["closed", "half_open", "open"].iter().position(|name| *name == state);
        if let Some(number) = number {
            self.circuit.record(number as u64, &self.stage);
        }
        self.circuit_changes.add(1, &[stage.clone(), KeyValue::new(semconv::STAGE_CIRCUIT_STATE, state)]);
    }

    fn batch(&self, _: &str, items: usize) {
        self.batch.record(items as u64, &self.stage);
    }
}
