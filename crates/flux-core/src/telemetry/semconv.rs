//! The names of everything that flux reports: those of OpenTelemetry's messaging conventions, version 1.37.0, in development
//! there, and below `flux.` those that the conventions do not have.

/// The conventions that these names are from.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// The messaging system: `mem`, `nats` with JetStream, `http`, or of a layer `cloudevents`, `webhooks`; `flux` for routes, and for
/// transports that do not say.
pub const SYSTEM: &str = "messaging.system";
/// The subject.
pub const DESTINATION_NAME: &str = "messaging.destination.name";
/// The route's filter.
pub const DESTINATION_TEMPLATE: &str = "messaging.destination.template";
/// The operation: `send`, `receive`, `process`.
pub const OPERATION_NAME: &str = "messaging.operation.name";
/// The kind of operation: `send`, `receive`, `process`.
pub const OPERATION_TYPE: &str = "messaging.operation.type";
/// The business id.
pub const MESSAGE_ID: &str = "messaging.message.id";
/// The correlation id.
pub const CONVERSATION_ID: &str = "messaging.message.conversation_id";
/// How many messages a fetch brought.
pub const BATCH_MESSAGE_COUNT: &str = "messaging.batch.message_count";
/// The class of an error.
pub const ERROR_TYPE: &str = "error.type";

/// Messages sent, a counter.
pub const SENT_MESSAGES: &str = "messaging.client.sent.messages";
/// Messages delivered to handlers or fetched, a counter.
pub const CONSUMED_MESSAGES: &str = "messaging.client.consumed.messages";
/// How long sending or fetching took, a histogram in seconds.
pub const OPERATION_DURATION: &str = "messaging.client.operation.duration";
/// How long handling took, a histogram in seconds.
pub const PROCESS_DURATION: &str = "messaging.process.duration";

/// The bucket boundaries, in seconds, that the conventions advise.
pub const DURATION_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The route.
pub const ROUTE: &str = "flux.route";
/// The class of a route's failure: `retry`, `permanent`, `drop`, `panic`, `timeout`.
pub const ROUTE_FAILURE: &str = "flux.route.failure";
/// Messages that a route has taken and not settled, a gauge.
pub const ROUTE_IN_FLIGHT: &str = "flux.route.in_flight";
/// Messages that are there for a route and not settled, a gauge.
pub const ROUTE_LAG: &str = "flux.route.lag";
/// How long ago the oldest of them was stored, a gauge in seconds.
pub const ROUTE_OLDEST_AGE: &str = "flux.route.oldest.age";
/// Messages that a route handled with success, a counter.
pub const ROUTE_HANDLED: &str = "flux.route.handled";
/// Handler calls that failed, by [`ROUTE_FAILURE`], a counter.
pub const ROUTE_FAILURES: &str = "flux.route.failures";
/// Attempts after the first, a counter.
pub const ROUTE_RETRIES: &str = "flux.route.retries";
/// Messages stored as dead letters, a counter.
pub const ROUTE_DEAD_LETTERS: &str = "flux.route.dead_letters";
/// Messages given up without a dead letter, a counter.
pub const ROUTE_LOST: &str = "flux.route.lost";
/// Messages that did not decode, a counter.
pub const ROUTE_UNDECODABLE: &str = "flux.route.undecodable";
/// Settlements and answers that did not reach the transport, a counter.
pub const ROUTE_UNSETTLED: &str = "flux.route.unsettled";

/// The stage.
pub const STAGE: &str = "flux.stage";
/// How a call of a stage ended: `ok`, `error`, `dropped`.
pub const STAGE_END: &str = "flux.stage.end";
/// Calls that ended, by [`STAGE_END`], a counter.
pub const STAGE_CALLS: &str = "flux.stage.calls";
/// Calls in flight, a gauge.
pub const STAGE_ACTIVE: &str = "flux.stage.active";
/// How long calls took, a histogram in seconds.
pub const STAGE_DURATION: &str = "flux.stage.duration";
/// Attempts after the first, a counter.
pub const STAGE_RETRIES: &str = "flux.stage.retries";
/// Items in a batch, a histogram.
pub const STAGE_BATCH_ITEMS: &str = "flux.stage.batch.items";
/// Changes of a circuit breaker, by [`STAGE_CIRCUIT_STATE`], a counter.
pub const STAGE_CIRCUIT_CHANGES: &str = "flux.stage.circuit.changes";
/// The state of a circuit: as an attribute its name, as a gauge 0 closed, 1 half open, 2 open.
pub const STAGE_CIRCUIT_STATE: &str = "flux.stage.circuit.state";

/// What happened: `connected`, `slow_consumer`, and so on.
pub const EVENT: &str = "flux.event";
/// What happened to connections of NATS, by [`EVENT`], a counter.
pub const NATS_CONNECTION_EVENTS: &str = "flux.nats.connection.events";
