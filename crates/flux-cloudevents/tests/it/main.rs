//! Events over HTTP and NATS, both ways and in both modes, against what the bindings say.

mod http;
mod nats;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use flux_cloudevents::Event;
use flux_core::{Delivery, Message, Outcome, Result, Settle, next};
use futures_core::Stream;
use serde::{Deserialize, Serialize};

/// How long anything may take before the test fails.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(20);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it hangs")
}

/// The next message; its delivery is acknowledged.
async fn take<T, A: Settle, D>(deliveries: &mut Pin<Box<D>>) -> Result<Message<T>>
where
    D: Stream<Item = Result<Delivery<T, A>>>,
{
    let Delivery { message, acker, .. } = within(next(deliveries.as_mut())).await.expect("the bus is open")?;
    acker.settle(Outcome::Ack).await?;
    Ok(message)
}

/// An order with an extension and an id of its own.
fn order() -> Result<Message<Order>> {
    let message = Message::new("orders.created", Order { id: 1 })?.with_id("order 1")?;
    message
        .with_header("ce-subject", "größe \"7\" 100%")?
        .with_header("ce-tenant", "acme")?
        .with_header("X-Else", "kept")
}

fn assert_order(message: &Message<Order>) -> Result<()> {
    let event = Event::of(&message.headers)?;
    assert_eq!((event.id(), event.source(), event.event_type()), ("order 1", "/shop", "orders.created"));
    assert_eq!((event.subject(), event.get("tenant")), (Some("größe \"7\" 100%"), Some("acme")));
    assert_eq!(
        (message.headers.get("X-Else"), message.headers.get("Content-Type")),
        (Some("kept"), Some("application/json"))
    );
    assert_eq!(message.payload, Order { id: 1 });
    Ok(())
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}
