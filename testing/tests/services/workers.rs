//! Five workers of a route are five handlers at a time of one subscription, not five subscriptions.

use std::sync::Arc;

use flux_core::{Failure, Message, Publisher as _};
use flux_router::{Route, Router, State};
use tokio::sync::Barrier;
use tokio::sync::mpsc::Sender;

use crate::{Order, Running, Site, sorted, told};

const WORKERS: usize = 5;
const MESSAGES: u64 = 50;

#[derive(Clone)]
struct Desk {
    /// Opens only when all workers are busy.
    all_here: Arc<Barrier>,
    told: Sender<u64>,
}

async fn work(order: Message<Order>, State(desk): State<Desk>) -> Result<(), Failure> {
    desk.all_here.wait().await;
    desk.told.send(order.payload.id).await?;
    Ok(())
}

fn desk(told: Sender<u64>) -> Desk {
    Desk { all_here: Arc::new(Barrier::new(WORKERS)), told }
}

#[tokio::test]
async fn workers_share_one_consumer_of_a_stream() {
    let site = Site::start().await;
    let (tell, mut hear) = told();
    let route = Route::new("orders.>", &site.stream, work).concurrency(WORKERS);
    let service = Running::start(Router::new().with_state(desk(tell)).add(route)).await;
    assert_eq!(site.stream.wire().info().await.unwrap().consumers, 1);
    for id in 0..MESSAGES {
        site.stream.publish("orders.new", Order { id }).await.unwrap();
    }
    assert!(sorted(&mut hear, MESSAGES).await.into_iter().eq(0..MESSAGES));
    service.handle.settled().await.unwrap();
    assert_eq!(service.stop().await.total().handled, MESSAGES, "none of them twice");
}

#[tokio::test]
async fn workers_share_one_subscription_to_a_subject() {
    let site = Site::start().await;
    let (tell, mut hear) = told();
    let route = Route::new("prices.>", &site.nats, work).concurrency(WORKERS);
    let service = Running::start(Router::new().with_state(desk(tell)).add(route)).await;
    for id in 0..MESSAGES {
        site.nats.publish("prices.new", Order { id }).await.unwrap();
    }
    assert!(sorted(&mut hear, MESSAGES).await.into_iter().eq(0..MESSAGES));
    assert_eq!(service.stop().await.total().handled, MESSAGES, "none of them twice");
}
