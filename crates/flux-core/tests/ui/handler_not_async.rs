//! A handler that is a plain function.

use flux_core::{Failure, Handler, Message};

struct Order;

fn route<H: Handler<Order>>(_handler: H) {}

fn on_order(_order: Message<Order>) -> Result<(), Failure> {
    Ok(())
}

fn main() {
    route(on_order);
}
