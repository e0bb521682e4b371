//! A transport that carries bytes asked to publish a value.

use flux_core::{Bytes, Message, Publisher, Result};

struct Order;
struct Wire;

impl Publisher<Bytes> for Wire {
    type Receipt = ();

    async fn send(&self, _message: Message<Bytes>) -> Result<()> {
        Ok(())
    }
}

fn sends_orders<P: Publisher<Order>>(_publisher: P) {}

fn main() {
    sends_orders(Wire);
}
