//! A handler that takes the payload where the message is handed over.

use flux_core::{Failure, Handler};

struct Order;

fn route<H: Handler<Order>>(_handler: H) {}

async fn on_order(_order: Order) -> Result<(), Failure> {
    Ok(())
}

fn main() {
    route(on_order);
}
