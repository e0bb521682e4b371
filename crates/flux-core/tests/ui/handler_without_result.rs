//! A handler that cannot fail.

use flux_core::{Handler, Message};

struct Order;

fn route<H: Handler<Order>>(_handler: H) {}

async fn on_order(_order: Message<Order>) {}

fn main() {
    route(on_order);
}
