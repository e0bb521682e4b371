//! A handler that returns a response, on a route for messages.

use flux_core::{Failure, Message};
use flux_mem::Mem;
use flux_router::Router;

#[derive(Clone)]
struct Order;

async fn on_order(order: Message<Order>) -> Result<Order, Failure> {
    Ok(order.payload)
}

fn main() {
    let _router = Router::new().route("orders.*", &Mem::new(), on_order);
}
