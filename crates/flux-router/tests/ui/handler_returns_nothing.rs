//! A handler that cannot fail.

use flux_core::Message;
use flux_mem::Mem;
use flux_router::Router;

#[derive(Clone)]
struct Order;

async fn on_order(_order: Message<Order>) {}

fn main() {
    let _router = Router::new().route("orders.*", &Mem::new(), on_order);
}
