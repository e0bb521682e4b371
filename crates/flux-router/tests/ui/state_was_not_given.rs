//! A handler that asks for a state the router does not have.

use flux_core::{Failure, Message};
use flux_mem::Mem;
use flux_router::{Router, State};

#[derive(Clone)]
struct Order;

#[derive(Clone)]
struct Ledger;

async fn on_order(_order: Message<Order>, _ledger: State<Ledger>) -> Result<(), Failure> {
    Ok(())
}

fn main() {
    let _router = Router::new().route("orders.*", &Mem::new(), on_order);
}
