//! A transport that carries bytes, given a handler of values.

use flux_core::{Failure, Message};
use flux_mem::{Mem, StreamConfig};
use flux_router::Router;

#[derive(Clone)]
struct Order;

async fn on_order(_order: Message<Order>) -> Result<(), Failure> {
    Ok(())
}

fn main() {
    let stream = Mem::stream(StreamConfig::new("orders", ["orders.>"])).expect("valid");
    let _router = Router::new().route("orders.*", &stream, on_order);
}
