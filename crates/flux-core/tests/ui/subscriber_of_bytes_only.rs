//! A transport that carries bytes asked to deliver a value.

use flux_core::{BoxDeliveries, BoxSettle, Bytes, Error, ErrorKind, Result, Subscriber};

struct Order;
struct Wire;

impl Subscriber<Bytes> for Wire {
    type Acker = BoxSettle;
    type Deliveries = BoxDeliveries<Bytes>;

    async fn subscribe(&self, _filter: &str) -> Result<Self::Deliveries> {
        Err(Error::new(ErrorKind::Closed, ""))
    }
}

fn receives_orders<S: Subscriber<Order>>(_subscriber: S) {}

fn main() {
    receives_orders(Wire);
}
