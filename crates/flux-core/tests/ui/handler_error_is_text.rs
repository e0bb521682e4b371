//! A handler whose error says nothing about the message.
#![allow(unused_imports, reason = "each case has the same preamble")]

use flux_core::{Failure, Handler, Message};

struct Order;

fn route<H: Handler<Order>>(_handler: H) {}

async fn on_order(_order: Message<Order>) -> Result<(), String> {
    Ok(())
}

fn main() {
    route(on_order);
}
