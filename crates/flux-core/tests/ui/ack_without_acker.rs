//! Acknowledging what cannot be acknowledged.

use flux_core::{Delivery, NoAck};

async fn done(delivery: Delivery<u8, NoAck>) -> flux_core::Result<()> {
    delivery.ack().await
}

fn main() {}
