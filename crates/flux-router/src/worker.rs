//! The loop of one worker: take a delivery when free, see it through, take the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flux_core::{Delivery, Failure, Handler, Message, Reply, Result, Settle, Stage};
use futures_core::Stream;

use crate::guard::{Acking, Ended, Limits, guard};
use crate::key_order::{KeyOf, KeyOrder};
use crate::message_work::MessageWork;
use crate::request_work::RequestWork;
use crate::source::Feed;

/// Counts a delivery as in flight. One whose worker is dropped stays counted: it is withheld, not done.
struct InFlight<'c>(&'c AtomicU64);

impl<'c> InFlight<'c> {
    fn enter(counter: &'c AtomicU64) -> Self {
        counter.fetch_add(1, Relaxed);
        Self(counter)
    }

    fn leave(self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Handles messages until the route is asked to stop.
pub(crate) async fn messages<T, A, D, H>(work: Arc<MessageWork<T, H>>, mut feed: Feed<D>) -> Result<()>
where
    T: Clone + Send + 'static,
    A: Settle,
    D: Stream<Item = Result<Delivery<T, A>>> + Send,
    H: Handler<T>,
{
    while let Some((item, ())) = feed.next(|_| ()).await? {
        let in_flight = InFlight::enter(&work.shared.counters.in_flight);
        match item {
            Ok(delivery) => work.handle(delivery).await,
            Err(error) => work.broken(error).await?,
        }
        in_flight.leave();
    }
    Ok(())
}

/// Handles messages until the route is asked to stop; those with the same key one after the other.
pub(crate) async fn ordered<T, A, D, H>(
    work: Arc<MessageWork<T, H>>,
    mut feed: Feed<D>,
    key: KeyOf<T>,
    order: Arc<KeyOrder>,
) -> Result<()>
where
    T: Clone + Send + 'static,
    A: Settle,
    D: Stream<Item = Result<Delivery<T, A>>> + Send,
    H: Handler<T>,
{
    let arrive =
        |item: &Result<Delivery<T, A>>| item.as_ref().ok().map(|delivery| order.join(key.hash(&delivery.message)));
    while let Some((item, turn)) = feed.next(arrive).await? {
        let in_flight = InFlight::enter(&work.shared.counters.in_flight);
        match item {
            Ok(mut delivery) => {
                let mut turn = turn;
                if let Some(turn) = &mut turn {
                    let limits = Limits { max_run: None, ack_wait: delivery.metadata.ack_wait };
                    let _: Ended<()> = guard(turn.come(), limits, &mut Acking(&mut delivery.acker)).await;
                }
                work.handle(delivery).await;
                drop(turn);
            }
            Err(error) => work.broken(error).await?,
        }
        in_flight.leave();
    }
    Ok(())
}

/// Answers requests until the route is asked to stop.
pub(crate) async fn requests<Req, A, D, H>(work: Arc<RequestWork<H>>, mut feed: Feed<D>) -> Result<()>
where
    Req: Send + 'static,
    H: Stage<Message<Req>, Error: Into<Failure>>,
    A: Reply<H::Out>,
    D: Stream<Item = Result<Delivery<Req, A>>> + Send,
{
    while let Some((item, ())) = feed.next(|_| ()).await? {
        let in_flight = InFlight::enter(&work.shared.counters.in_flight);
        match item {
            Ok(request) => work.handle(request).await,
            Err(error) => work.broken(error).await,
        }
        in_flight.leave();
    }
    Ok(())
}
