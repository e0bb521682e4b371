//! A handler that takes the payload where the message is handed over.

use flux_core::Failure;
use flux_mem::Mem;
use flux_router::Router;

#[derive(Clone)]
struct Order;

async fn on_order(_order: Order) -> Result<(), Failure> {
    Ok(())
}

fn main() {
    let _router = Router::new().route("orders.*", &Mem::new(), on_order);
}
