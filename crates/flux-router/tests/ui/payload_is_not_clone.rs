//! A payload that cannot be cloned, in process.

use flux_core::{Failure, Message};
use flux_mem::Mem;
use flux_router::Router;

struct Order;

async fn on_order(_order: Message<Order>) -> Result<(), Failure> {
    Ok(())
}

fn main() {
    let _router = Router::new().route("orders.*", &Mem::new(), on_order);
}
