//! A handler that is a plain function.

use flux_core::{Failure, Message};
use flux_mem::Mem;
use flux_router::Router;

#[derive(Clone)]
struct Order;

fn on_order(_order: Message<Order>) -> Result<(), Failure> {
    Ok(())
}

fn main() {
    let _router = Router::new().route("orders.*", &Mem::new(), on_order);
}
