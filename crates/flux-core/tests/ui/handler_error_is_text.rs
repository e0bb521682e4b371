//! A handler whose error says nothing about the message.

use flux_core::{Handler, Message};

struct Order;

fn route<H: Handler<Order>>(_handler: H) {}

async fn on_order(_order: Message<Order>) -> Result<(), String> {
    Ok(())
}

fn main() {
    route(on_order);
}
