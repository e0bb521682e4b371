//! A handler that asks for what no extractor makes.

use flux_core::{Failure, Message};
use flux_mem::Mem;
use flux_router::Router;

#[derive(Clone)]
struct Order;

async fn on_order(_order: Message<Order>, _number: u32) -> Result<(), Failure> {
    Ok(())
}

fn main() {
    let _router = Router::new().route("orders.*", &Mem::new(), on_order);
}
