//! One entry in the runtime's timer for each connection, however many requests it brings.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::task::unconstrained;

/// What goes off, and whom it wakes.
struct Alarm {
    sleep: Pin<Box<tokio::time::Sleep>>,
    waker: Waker,
}

/// The timer of a connection that sleeps once at a time.
///
/// hyper sets the timeout of a head anew for each request, and takes it back when the head is there. In the runtime's timer that is two turns
/// with a lock that all connections share. Here the alarm stays as it was set first, and is set again when it goes off too early.
#[derive(Clone, Default)]
pub(crate) struct ConnectionTimer(Arc<Mutex<Option<Alarm>>>);

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until { alarm: Arc::clone(&self.0), deadline: deadline.into() })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

struct Until {
    alarm: Arc<Mutex<Option<Alarm>>>,
    deadline: tokio::time::Instant,
}

impl Sleep for Until {}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Alarm { sleep: Box::pin(tokio::time::sleep_until(self.deadline)), waker: Waker::noop().clone() };
        let Alarm { sleep, waker } = alarm.get_or_insert_with(new);
        if sleep.deadline() > self.deadline {
            sleep.as_mut().reset(self.deadline);
        } else if !sleep.is_elapsed() && waker.will_wake(cx.waker()) {
            return Poll::Pending;
        }
        waker.clone_from(cx.waker());
        loop {
            // Without the task's budget: one that is used up would leave the alarm unset, and nobody would set it later.
            ready!(Pin::new(&mut unconstrained(sleep.as_mut())).poll(cx));
            if sleep.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(self.deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::task::consume_budget;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_sleep_ends_at_its_own_time() {
        let timer = ConnectionTimer::default();
        let start = timer.now();
        let elapsed = || (timer.now() - start).as_secs();
        // Taken back before its time, as when a head arrives.
        let early = timer.sleep(Duration::from_secs(5));
        assert!(tokio::time::timeout(Duration::from_secs(1), early).await.is_err());
        timer.sleep(Duration::from_secs(9)).await;
        assert_eq!(elapsed(), 10, "not when the first one would have ended");
        let late = timer.sleep(Duration::from_secs(60));
        assert!(tokio::time::timeout(Duration::from_secs(1), late).await.is_err());
        timer.sleep(Duration::from_secs(2)).await;
        assert_eq!(elapsed(), 13, "sooner than the one before");
        timer.sleep_until(start).await;
        assert_eq!(elapsed(), 13, "the past is over");
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_is_set_by_a_task_that_has_used_up_its_budget() {
        let timer = ConnectionTimer::default();
        let (mut sleep, mut is_first) = (timer.sleep(Duration::from_secs(5)), true);
        let slept = poll_fn(|cx| {
            while std::mem::take(&mut is_first) {
                while pin!(consume_budget()).poll(cx).is_ready() {}
            }
            sleep.as_mut().poll(cx)
        });
        assert!(tokio::time::timeout(Duration::from_secs(60), slept).await.is_ok(), "it never goes off");
    }
}
