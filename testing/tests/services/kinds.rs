//! The four kinds of routes, and the ids that travel through all of them.

use flux_core::{Failure, Headers, Message, Publisher as _, Requester as _, header};
use flux_jetstream::JsStream;
use flux_router::{RequestRoute, Route, Router, State};
use tokio::sync::mpsc::Sender;

use crate::{Order, Running, Site, next_of, sorted, told};

const MESSAGES: u64 = 100;

async fn note(order: Message<Order>, State(told): State<Sender<u64>>) -> Result<(), Failure> {
    told.send(order.payload.id).await?;
    Ok(())
}

#[tokio::test]
async fn each_subscriber_gets_each_message() {
    let site = Site::start().await;
    let (mut services, mut heard) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let (tell, hear) = told();
        let router = Router::new().with_state(tell).route("prices.>", &site.nats, note);
        services.push(Running::start(router).await);
        heard.push(hear);
    }
    for id in 0..MESSAGES {
        site.nats.publish("prices.new", Order { id }).await.unwrap();
    }
    for hear in &mut heard {
        for id in 0..MESSAGES {
            assert_eq!(next_of(hear).await, id, "one worker keeps the order");
        }
    }
    for service in services {
        assert_eq!(service.stop().await.total().handled, MESSAGES);
    }
}

#[tokio::test]
async fn members_of_a_queue_share_the_messages() {
    let site = Site::start().await;
    let (tell, mut hear) = told();
    let mut services = Vec::new();
    for _ in 0..2 {
        let route = Route::new("prices.>", &site.nats, note).queue_group("desk").concurrency(5);
        services.push(Running::start(Router::new().with_state(tell.clone()).add(route)).await);
    }
    for id in 0..MESSAGES {
        site.nats.publish("prices.new", Order { id }).await.unwrap();
    }
    assert!(sorted(&mut hear, MESSAGES).await.into_iter().eq(0..MESSAGES));
    let mut handled = Vec::new();
    for service in services {
        handled.push(service.stop().await.total().handled);
    }
    assert_eq!(handled.iter().sum::<u64>(), MESSAGES, "{handled:?}");
    assert!(handled.iter().all(|share| *share > 0), "one member got all: {handled:?}");
}

#[tokio::test]
async fn one_of_several_responders_answers() {
    async fn double(order: Message<Order>) -> Result<Order, Failure> {
        Ok(Order { id: order.payload.id * 2 })
    }
    let site = Site::start().await;
    let mut services = Vec::new();
    for _ in 0..2 {
        let route = RequestRoute::new("double", &site.nats, double).concurrency(5);
        services.push(Running::start(Router::new().add(route)).await);
    }
    for id in 0..MESSAGES {
        let answer: Order = site.nats.request("double", Order { id }).await.unwrap();
        assert_eq!(answer.id, id * 2);
    }
    let mut handled = 0;
    for service in services {
        handled += service.stop().await.total().handled;
    }
    assert_eq!(handled, MESSAGES);
}

#[tokio::test]
async fn a_durable_route_goes_on_where_the_service_before_it_was() {
    let site = Site::start().await;
    let mut from = 0;
    // What is stored before a service starts waits for it.
    for share in [30, 40] {
        for id in from..from + share {
            site.stream.publish("orders.new", Order { id }).await.unwrap();
        }
        let (tell, mut hear) = told();
        let route = Route::new("orders.>", &site.stream, note).queue_group("billing");
        let service = Running::start(Router::new().with_state(tell).add(route)).await;
        service.handle.settled().await.unwrap();
        assert_eq!(service.stop().await.total().handled, share);
        assert!(sorted(&mut hear, share).await.into_iter().eq(from..from + share));
        from += share;
    }
}

/// Where the hops of one piece of work lead, and what the last one finds.
#[derive(Clone)]
struct Hops {
    nats: flux_core::Typed<flux_nats::Nats, flux_codec::Json>,
    stream: flux_core::Typed<JsStream, flux_codec::Json>,
    told: Sender<Headers>,
}

async fn accept(order: Message<Order>, State(hops): State<Hops>) -> Result<Order, Failure> {
    let event = Message::new("accepted.new", order.payload)?.with_id("event-1")?;
    hops.nats.send(event).await?;
    Ok(order.payload)
}

async fn keep(order: Message<Order>, State(hops): State<Hops>) -> Result<(), Failure> {
    hops.stream.publish("orders.kept", order.payload).await?;
    Ok(())
}

async fn look(order: Message<Order>, State(hops): State<Hops>) -> Result<(), Failure> {
    hops.told.send(order.headers).await?;
    Ok(())
}

#[tokio::test]
async fn correlation_and_trace_travel_through_all_kinds_and_back() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let site = Site::start().await;
    let (tell, mut hear) = told();
    let hops = Hops { nats: site.nats.clone(), stream: site.stream.clone(), told: tell };
    let router = Router::new()
        .with_state(hops)
        .respond("accept", &site.nats, accept)
        .add(Route::new("accepted.>", &site.nats, keep).queue_group("keepers"))
        .add(Route::new("orders.>", &site.stream, look).queue_group("lookers"));
    let service = Running::start(router).await;

    let request = Message::new("accept", Order { id: 7 }).unwrap();
    let request = request.with_header(header::CORRELATION_ID, "work-1").unwrap();
    let request = request.with_header(header::TRACEPARENT, TRACE).unwrap();
    let request = request.with_header(header::BAGGAGE, "tenant=acme").unwrap();
    let answer: Message<Order> = site.nats.ask(request).await.unwrap();
    let last = next_of(&mut hear).await;
    for headers in [&answer.headers, &last] {
        let found = [header::CORRELATION_ID, header::TRACEPARENT, header::BAGGAGE].map(|name| headers.get(&name));
        assert_eq!(found, [Some("work-1"), Some(TRACE), Some("tenant=acme")], "{headers:?}");
    }
    assert_eq!(last.get(&header::CAUSATION_ID), Some("event-1"), "what the event before caused");
    assert_eq!(service.stop().await.total().handled, 3);
}
