//! The names of OpenTelemetry's messaging conventions, version 1.37.0, in development there.

/// The conventions that these names are from.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// The messaging system: `nats`, `http`, `flux` for in-process and routes.
pub const SYSTEM: &str = "messaging.system";
/// The subject.
pub const DESTINATION_NAME: &str = "messaging.destination.name";
/// The route's filter.
pub const DESTINATION_TEMPLATE: &str = "messaging.destination.template";
/// The operation: `send`, `process`.
pub const OPERATION_NAME: &str = "messaging.operation.name";
/// The kind of operation: `send`, `process`.
pub const OPERATION_TYPE: &str = "messaging.operation.type";
/// The business id.
pub const MESSAGE_ID: &str = "messaging.message.id";
/// The correlation id.
pub const CONVERSATION_ID: &str = "messaging.message.conversation_id";
/// The class of an error.
pub const ERROR_TYPE: &str = "error.type";

/// Messages sent, a counter.
pub const SENT_MESSAGES: &str = "messaging.client.sent.messages";
/// Messages delivered to handlers, a counter.
pub const CONSUMED_MESSAGES: &str = "messaging.client.consumed.messages";
/// How long sending took, a histogram in seconds.
pub const OPERATION_DURATION: &str = "messaging.client.operation.duration";
/// How long handling took, a histogram in seconds.
pub const PROCESS_DURATION: &str = "messaging.process.duration";

/// The bucket boundaries, in seconds, that the conventions advise.
pub const DURATION_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
