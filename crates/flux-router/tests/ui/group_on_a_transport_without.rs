//! A queue group on a transport that has none.

use flux_core::{BoxDeliveries, BoxSettle, Error, ErrorKind, Failure, Message, Result, Subscriber};
use flux_router::Route;

#[derive(Clone)]
struct Order;

#[derive(Clone)]
struct Log;

impl Subscriber<Order> for Log {
    type Acker = BoxSettle;
    type Deliveries = BoxDeliveries<Order>;

    async fn subscribe(&self, _filter: &str) -> Result<Self::Deliveries> {
        Err(Error::new(ErrorKind::Closed, ""))
    }
}

async fn on_order(_order: Message<Order>) -> Result<(), Failure> {
    Ok(())
}

fn main() {
    let _route = Route::receiving("orders.*", &Log, on_order).queue_group("workers");
}
