#![doc = include_str!("../README.md")]

#[cfg(feature = "router")]
pub mod guide;
pub mod prelude;

#[doc(inline)]
pub use flux_core::*;

/// `CloudEvents` 1.0: a layer that reads and writes them, under any codec.
#[cfg(feature = "cloudevents")]
pub mod cloudevents {
    #[doc(inline)]
    pub use flux_cloudevents::*;
}

/// Codecs, one feature each.
#[cfg(any(
    feature = "auto",
    feature = "bincode",
    feature = "cbor",
    feature = "json",
    feature = "msgpack",
    feature = "postcard",
    feature = "protobuf",
    feature = "raw",
    feature = "text",
))]
pub mod codec {
    #[doc(inline)]
    pub use flux_codec::*;
}

/// HTTP: messages and requests as POSTs, over hyper, mounted wherever a tower service goes.
#[cfg(feature = "http")]
pub mod http {
    #[doc(inline)]
    pub use flux_http::*;
}

/// NATS JetStream: streams on a server, receipts, settlement, redelivery.
#[cfg(feature = "jetstream")]
pub mod jetstream {
    #[doc(inline)]
    pub use flux_jetstream::*;
}

/// In-process channels, and streams that keep messages until they are settled.
#[cfg(feature = "mem")]
pub mod mem {
    #[doc(inline)]
    pub use flux_mem::*;
}

/// Core NATS: queue groups, requests and micro services over a server.
#[cfg(feature = "nats")]
pub mod nats {
    #[doc(inline)]
    pub use flux_nats::*;
}

/// Starts, stops and kills a real nats-server, for development and tests.
#[cfg(feature = "nats-server")]
pub mod nats_server {
    #[doc(inline)]
    pub use flux_nats_server::*;
}

/// Sets up OpenTelemetry for a program: OTLP, Prometheus, and logs with trace ids and without secrets.
#[cfg(any(feature = "logs", feature = "otlp", feature = "otlp-grpc", feature = "prometheus"))]
pub mod otel {
    #[doc(inline)]
    pub use flux_telemetry::*;
}

/// Routes, workers, retries, dead letters and drain.
#[cfg(feature = "router")]
pub mod router {
    #[doc(inline)]
    pub use flux_router::*;
}

/// Pipelines, resilience and operators: stages around handlers, requests and publishers.
#[cfg(feature = "stage")]
pub mod stage {
    #[doc(inline)]
    pub use flux_stage::*;
}

/// Standard Webhooks: a layer that signs what is published and checks what is received.
#[cfg(feature = "webhooks")]
pub mod webhooks {
    #[doc(inline)]
    pub use flux_webhooks::*;
}
