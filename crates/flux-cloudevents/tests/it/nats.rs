//! Over NATS.

use bytes::Bytes;
use flux_cloudevents::{Binding, CloudEvents, CloudEventsConfig, Event, Mode};
use flux_codec::{Json, Text};
use flux_core::{Message, Publisher as _, Result, Subscriber};
use flux_nats::{Nats, NatsConfig};
use flux_nats_server::Server;

use crate::{Order, assert_order, order, take, text, within};

async fn nats(server: &Server) -> Result<Nats> {
    within(Nats::connect(server.url(), NatsConfig::new())).await
}

#[tokio::test]
async fn events_come_back_in_both_modes() -> Result<()> {
    let server = Server::builder().start().await?;
    for mode in [Mode::Binary, Mode::Structured] {
        let config = CloudEventsConfig::new("/shop")?.with_binding(Binding::Nats).with_mode(mode);
        let bus = CloudEvents::new(nats(&server).await?, config).typed(Json);
        let mut orders = Box::pin(Subscriber::<Order>::subscribe(&bus, "orders.*").await?);
        bus.send(order()?).await?;
        assert_order(&take(&mut orders).await?)?;
    }
    Ok(())
}

#[tokio::test]
async fn on_the_wire_the_media_type_is_an_attribute() -> Result<()> {
    let server = Server::builder().start().await?;
    let wire = nats(&server).await?;
    let mut plain = Box::pin(wire.subscribe("orders.*").await?);
    let config = CloudEventsConfig::new("/shop")?.with_binding(Binding::Nats);
    CloudEvents::new(wire, config).typed(Json).send(order()?).await?;
    let message: Message<Bytes> = take(&mut plain).await?;
    assert_eq!(message.headers.get("ce-datacontenttype"), Some("application/json"));
    assert_eq!(message.headers.get("ce-id"), Some("order%201"));
    Ok(())
}

#[tokio::test]
async fn what_others_write_is_read_and_ids_are_made_up_where_there_are_none() -> Result<()> {
    let server = Server::builder().start().await?;
    let wire = nats(&server).await?;
    let bus = CloudEvents::new(wire.clone(), CloudEventsConfig::new("/shop")?).typed(Text);
    let mut texts = Box::pin(Subscriber::<String>::subscribe(&bus, "texts").await?);
    let foreign = Message::new("texts", text("hello"))?;
    let foreign =
        foreign.with_header("ce-specversion", "1.0")?.with_header("ce-id", "7")?.with_header("ce-type", "t")?;
    let foreign =
        foreign.with_header("ce-source", "urn:x")?.with_header("ce-datacontenttype", "text/plain; charset=utf-8")?;
    wire.send(foreign).await?;
    let message = take(&mut texts).await?;
    assert_eq!(message.payload, "hello");
    assert_eq!(Event::of(&message.headers)?.source(), "urn:x");
    let mut ids = std::collections::HashSet::new();
    for _ in 0..3 {
        bus.publish("texts", "hello".to_owned()).await?;
        ids.insert(Event::of(&take(&mut texts).await?.headers)?.id().to_owned());
    }
    assert_eq!(ids.len(), 3);
    Ok(())
}
