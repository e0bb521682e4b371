//! Looks after messages that wait for a handler: keeps them alive while they wait, and gives them back when nobody will take them.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use flux_core::next;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

use crate::acker::Ledger;
use crate::consumer::WeakConsumer;
use crate::inbox::Inbox;

/// How long to wait for what is still on its way when a subscription ends.
const LAST_ARRIVALS: Duration = Duration::from_secs(2);
/// How often the server is asked how far all members of a group are. What was settled since comes again when the consumer is
/// deleted.
const ASKED_EVERY: Duration = Duration::from_secs(30);

pub(crate) fn lock(inbox: &Mutex<Inbox>) -> MutexGuard<'_, Inbox> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every quarter of the ack wait, tells the server that what waits is not forgotten. Ends with the subscription.
///
/// Where other members share the consumer, it also asks the server now and then how far all of them are.
///
/// Few messages wait long: see [`Pace`](crate::pace::Pace). This is for those that were taken ahead of handlers that have
/// since become slow, and for those that came when nobody polled any more.
pub(crate) fn keep_alive(inbox: Weak<Mutex<Inbox>>, ledger: Arc<Ledger>, consumer: WeakConsumer, ack_wait: Duration) {
    // What waits is at most two beats old when the first sign of life is sent, which leaves half of its time.
    let beat = (ack_wait / 4).max(Duration::from_millis(10));
    tokio::spawn(async move {
        let (mut queue, mut asked) = (Queue::default(), Instant::now());
        loop {
            sleep(beat).await;
            let Some((waiting, handed)) = waiting(&inbox) else { return };
            if ledger.is_shared() && asked.elapsed() >= ASKED_EVERY {
                asked = Instant::now();
                let Some(consumer) = consumer.upgrade() else { return };
                if let Some(floor) = consumer.find_floor().await {
                    ledger.learn(floor);
                }
            }
            if queue.is_turned_over(Queue { waiting: waiting.len() as u64, handed }) {
                continue;
            }
            for reply in waiting {
                // A sign of life that was lost is made good by the next one.
                let _ = ledger.progress(reply).await;
            }
        }
    });
}

/// What is known of an inbox at a beat.
#[derive(Debug, Default)]
struct Queue {
    /// Messages that wait.
    waiting: u64,
    /// Messages that were handed over so far.
    handed: u64,
}

impl Queue {
    /// Whether nothing that waits `now` has waited since the beat before, and at that speed nothing will until the next one.
    fn is_turned_over(&mut self, now: Self) -> bool {
        let before = std::mem::replace(self, now);
        // An inbox that was made anew counts from 0.
        let gone = self.handed.saturating_sub(before.handed);
        gone >= before.waiting && gone >= self.waiting
    }
}

/// Where the messages that wait want their settlements, and how many were handed over; `None` when the subscription is gone.
fn waiting(inbox: &Weak<Mutex<Inbox>>) -> Option<(Vec<async_nats::Subject>, u64)> {
    let inbox = inbox.upgrade()?;
    let mut inbox = lock(&inbox);
    Some((inbox.take_in(), inbox.handed()))
}

/// Gives back what was taken and not handed over, so that others need not wait for it.
///
/// What is given back while a request is open would come back through it, and each time count as a delivery. And what the server
/// is sending when the inbox goes is lost until its ack wait is over. So requests are waited for first; they are short.
pub(crate) fn give_back(inbox: Arc<Mutex<Inbox>>, ledger: Arc<Ledger>) {
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move {
        let _ = timeout(LAST_ARRIVALS, poll_fn(|cx| lock(&inbox).poll_last(cx))).await;
        let (subscriber, mut replies) = lock(&inbox).take_apart();
        if let Some(mut subscriber) = subscriber
            && subscriber.drain().await.is_ok()
        {
            let rest = async {
                while let Some(native) = next(Pin::new(&mut subscriber)).await {
                    replies.extend(native.reply.filter(|_| native.status.is_none()));
                }
            };
            let _ = timeout(LAST_ARRIVALS, rest).await;
        }
        for reply in replies {
            let _ = ledger.nak(reply).await;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_waited_for_a_beat_is_kept_alive_however_much_was_handed_over() {
        let mut queue = Queue::default();
        assert!(!queue.is_turned_over(Queue { waiting: 500, handed: 0 }), "nobody takes them");
        assert!(!queue.is_turned_over(Queue { waiting: 240, handed: 260 }), "240 of the 500 are still there");
        assert!(!queue.is_turned_over(Queue { waiting: 300, handed: 510 }), "at this speed, some will stay");
        assert!(queue.is_turned_over(Queue { waiting: 300, handed: 810 }), "all 300 are others");
        assert!(!queue.is_turned_over(Queue { waiting: 10, handed: 3 }), "a new inbox");
        assert!(queue.is_turned_over(Queue { waiting: 0, handed: 13 }));
    }
}
