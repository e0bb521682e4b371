//! A connection that wakes itself is polled again in its place, instead of by the runtime (decision 18).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// How often a connection is polled before other tasks have their turn.
const TURNS: u32 = 4;

/// Set while the connection is polled.
const POLLED: u8 = 1;
/// Set when the connection was woken since its last poll began.
const WOKEN: u8 = 2;

/// What stands between a connection and the task that polls it.
#[derive(Default)]
pub(super) struct Waking {
    on: Option<(Arc<OnTask>, Waker)>,
}

/// Of one task: wakers of another that polled before it may still be about.
struct OnTask {
    task: Waker,
    state: AtomicU8,
}

impl Waking {
    /// Polls, and polls again if that woke the task.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let (on, waker) = self.on(cx.waker());
        for _ in 0..TURNS {
            // Whoever woke it before has what they did seen by this poll.
            on.state.swap(POLLED, Ordering::Acquire);
            if let Poll::Ready(done) = poll(&mut Context::from_waker(waker)) {
                return Poll::Ready(done);
            }
            if on.state.fetch_and(!POLLED, Ordering::AcqRel) & WOKEN == 0 {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn on(&mut self, task: &Waker) -> &(Arc<OnTask>, Waker) {
        if self.on.as_ref().is_some_and(|(on, _)| !on.task.will_wake(task)) {
            self.on = None;
        }
        self.on.get_or_insert_with(|| {
            let on = Arc::new(OnTask { task: task.clone(), state: AtomicU8::new(0) });
            (Arc::clone(&on), on.into())
        })
    }
}

impl Wake for OnTask {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Otherwise it is polled again anyway.
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) == 0 {
            self.task.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize};
    use std::sync::mpsc::sync_channel;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// A task that counts how often it is woken.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Counting {
        fn new() -> (Arc<Self>, Waker) {
            let counting = Arc::<Self>::default();
            (Arc::clone(&counting), counting.into())
        }

        fn count(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn who_wakes_itself_is_polled_again_in_its_place() {
        let (task, waker) = Counting::new();
        let mut polls = 0;
        let done = Waking::default().poll(&mut Context::from_waker(&waker), |cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        assert!(done.is_ready());
        assert_eq!(task.count(), 0);
    }

    #[test]
    fn who_does_nothing_else_lets_others_have_their_turn() {
        let (task, waker) = Counting::new();
        let (mut waking, mut polls) = (Waking::default(), 0);
        for times in 1..=3 {
            let pending = waking.poll(&mut Context::from_waker(&waker), |cx| {
                polls += 1;
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            });
            assert!(pending.is_pending());
            assert_eq!((polls, task.count()), (times * TURNS, times as usize));
        }
    }

    #[test]
    fn who_is_woken_between_polls_wakes_the_task_once() {
        let (task, waker) = Counting::new();
        let (mut waking, mut kept) = (Waking::default(), None);
        for times in 1..=3 {
            let pending = waking.poll(&mut Context::from_waker(&waker), |cx| {
                kept = Some(cx.waker().clone());
                Poll::<()>::Pending
            });
            assert!(pending.is_pending());
            let kept = kept.take().expect("it was polled");
            assert_eq!(task.count(), times - 1);
            kept.wake_by_ref();
            kept.wake();
            assert_eq!(task.count(), times);
        }
    }

    #[test]
    fn a_task_that_takes_over_is_the_one_that_is_woken() {
        let ((before, before_waker), (after, after_waker)) = (Counting::new(), Counting::new());
        let (mut waking, mut kept) = (Waking::default(), None);
        for waker in [before_waker, after_waker] {
            let pending = waking.poll(&mut Context::from_waker(&waker), |cx| {
                kept = Some(cx.waker().clone());
                Poll::<()>::Pending
            });
            assert!(pending.is_pending());
        }
        kept.expect("it was polled").wake();
        assert_eq!((before.count(), after.count()), (0, 1));
    }

    /// Another thread wakes while this one polls, is between polls, or sleeps.
    #[test]
    fn no_wake_is_lost_between_threads() {
        const TIMES: usize = 20_000;
        struct Unpark(thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let (done, is_done) = sync_channel(1);
        let polling = thread::spawn(move || {
            let (wakers, to_wake) = sync_channel::<(Waker, Arc<AtomicBool>)>(1);
            let (woken, was_woken) = sync_channel(1);
            let other = thread::spawn(move || {
                for (waker, flag) in to_wake {
                    flag.store(true, Ordering::Relaxed);
                    waker.wake();
                    woken.send(()).expect("the first thread runs");
                }
            });
            let (waker, mut waking) = (Arc::new(Unpark(thread::current())).into(), Waking::default());
            for times in 0..TIMES {
                let (flag, mut is_sent) = (Arc::new(AtomicBool::new(false)), false);
                let mut poll = |cx: &mut Context<'_>| {
                    // Every other time it looks before it is woken, and returns after that.
                    let is_set = flag.load(Ordering::Relaxed);
                    if !is_sent {
                        is_sent = true;
                        wakers.send((cx.waker().clone(), Arc::clone(&flag))).expect("the other thread runs");
                        if times % 2 == 0 {
                            was_woken.recv().expect("the other thread runs");
                        }
                    }
                    if is_set { Poll::Ready(()) } else { Poll::Pending }
                };
                while waking.poll(&mut Context::from_waker(&waker), &mut poll).is_pending() {
                    thread::park();
                }
                if times % 2 == 1 {
                    was_woken.recv().expect("the other thread runs");
                }
            }
            drop(wakers);
            other.join().expect("no panic");
            done.send(()).expect("somebody waits");
        });
        is_done.recv_timeout(Duration::from_secs(60)).expect("a wake was lost");
        polling.join().expect("no panic");
    }
}
