//! A handler that holds what cannot leave its thread across an await.

use std::rc::Rc;

use flux_core::{Failure, Handler, Message};

struct Order;

fn route<H: Handler<Order>>(_handler: H) {}

async fn on_order(_order: Message<Order>) -> Result<(), Failure> {
    let held = Rc::new(());
    std::future::ready(()).await;
    drop(held);
    Ok(())
}

fn main() {
    route(on_order);
}
