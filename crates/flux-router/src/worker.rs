//! The loop of one worker: take a delivery when free, see it through, take the next.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use flux_core::{Delivery, Failure, Handler, Message, Reply, Result, Settle, Stage};
use futures_core::Stream;

use crate::case::Case;
use crate::delivery_work::DeliveryWork;
use crate::fault::Fault;
use crate::guard::{Acking, Ended, guard};
use crate::key_order::{KeyOf, KeyOrder};
use crate::message_work::MessageWork;
use crate::pace::Pace;
use crate::request_work::RequestWork;
use crate::source::Feed;

/// Handles messages until the route is asked to stop.
pub(crate) async fn messages<T, A, D, H>(mut work: MessageWork<T, H>, mut feed: Feed<D>) -> Result<()>
where
    T: Clone + Send + 'static,
    A: Settle,
    D: Stream<Item = Result<Delivery<T, A>>> + Send,
    H: Handler<T>,
{
    let (mut taken, mut pace) = (None, Pace::new(Arc::clone(&work.counters)));
    loop {
        let mut arrive = |item: Result<Delivery<T, A>>| taken = Some(item.map(Case::from));
        // Under load the next one is there already, and nothing has to be set up to wait for it.
        let there = poll_fn(|cx| Poll::Ready(feed.poll_now(cx, &mut arrive))).await;
        if !there && !feed.next(&mut pace, arrive).await? {
            return Ok(());
        }
        work.counters.take();
        work.handle(&mut taken).await?;
        work.counters.finish();
        pace.step();
    }
}

/// Handles messages until the route is asked to stop; those with the same key one after the other.
pub(crate) async fn ordered<T, A, D, H>(
    mut work: MessageWork<T, H>,
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
    let (mut taken, mut pace) = (None, Pace::new(Arc::clone(&work.counters)));
    loop {
        let mut turn = None;
        let join = |item: Result<Delivery<T, A>>| {
            turn = item.as_ref().ok().map(|delivery| key.hash(&delivery.message).map(|key| order.join(key)));
            taken = Some(item.map(Case::from));
        };
        if !feed.next(&mut pace, join).await? {
            return Ok(());
        }
        work.counters.take();
        match (&mut turn, &mut taken) {
            (Some(Ok(turn)), Some(Ok(Case { acker, metadata, .. }))) => {
                let _: Ended<()> = guard(pin!(turn.come()), None, &mut Acking(acker.as_mut(), metadata)).await;
                work.handle(&mut taken).await?;
            }
            (Some(Err(panic)), _) => {
                let text = format!("the key function panicked: {panic}");
                work.refuse(&mut taken, Fault::permanent("panic", text)).await;
            }
            _ => work.handle(&mut taken).await?,
        }
        drop(turn);
        work.counters.finish();
        pace.step();
    }
}

/// Hands deliveries to a handler that settles them, until the route is asked to stop.
pub(crate) async fn deliveries<T, A, D, H>(work: DeliveryWork<H>, mut feed: Feed<D>) -> Result<()>
where
    T: Send + 'static,
    A: Settle,
    D: Stream<Item = Result<Delivery<T, A>>> + Send,
    H: Stage<Delivery<T, A>, Error: Into<Failure>>,
{
    let (mut taken, mut pace) = (None, Pace::new(Arc::clone(&work.counters)));
    while feed.next(&mut pace, |item| taken = Some(item)).await? {
        let Some(item) = taken.take() else { continue };
        work.counters.take();
        work.handle(item).await;
        work.counters.finish();
        pace.step();
    }
    Ok(())
}

/// Answers requests until the route is asked to stop.
pub(crate) async fn requests<Req, A, D, H>(work: RequestWork<H>, mut feed: Feed<D>) -> Result<()>
where
    Req: Send + 'static,
    H: Stage<Message<Req>, Error: Into<Failure>>,
    A: Reply<H::Out>,
    D: Stream<Item = Result<Delivery<Req, A>>> + Send,
{
    let (mut slot, mut pace) = (None, Pace::new(Arc::clone(&work.counters)));
    while feed.next(&mut pace, |item| slot = Some(item)).await? {
        work.take(&mut slot).await;
        pace.step();
    }
    Ok(())
}
