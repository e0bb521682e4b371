//! Looks after messages that wait for a handler: keeps them alive while they wait, and gives them back when nobody will take them.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use flux_core::next;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use crate::acker::Ledger;
use crate::inbox::Inbox;

/// How long to wait for what is still on its way when a subscription ends.
const LAST_ARRIVALS: Duration = Duration::from_secs(2);

pub(crate) fn lock(inbox: &Mutex<Inbox>) -> MutexGuard<'_, Inbox> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every third of the ack wait, tells the server that what waits is not forgotten. Ends with the subscription.
///
/// Few messages wait long: see [`Pace`](crate::pace::Pace). This is for those that were taken ahead of handlers that have
/// since become slow.
pub(crate) fn keep_alive(inbox: Weak<Mutex<Inbox>>, ledger: Arc<Ledger>, ack_wait: Duration) {
    let beat = (ack_wait / 3).max(Duration::from_millis(10));
    tokio::spawn(async move {
        let mut settled = ledger.settled();
        loop {
            sleep(beat).await;
            let Some(waiting) = waiting(&inbox) else { return };
            let before = std::mem::replace(&mut settled, ledger.settled());
            // When more were settled than wait, none of those has waited for a whole beat.
            let turned_over = usize::try_from(settled - before).unwrap_or(usize::MAX) > waiting.len();
            if turned_over {
                continue;
            }
            for reply in waiting {
                // A sign of life that was lost is made good by the next one.
                let _ = ledger.progress(reply).await;
            }
        }
    });
}

/// Where the messages that wait want their settlements; `None` when the subscription is gone.
fn waiting(inbox: &Weak<Mutex<Inbox>>) -> Option<Vec<async_nats::Subject>> {
    let inbox = inbox.upgrade()?;
    let mut inbox = lock(&inbox);
    if inbox.parked {
        return Some(Vec::new());
    }
    Some(inbox.take_in(&mut Context::from_waker(Waker::noop())))
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
