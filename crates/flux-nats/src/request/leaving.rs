//! Responders that have left, and still refuse the requests that had arrived.

use tokio::sync::watch;

/// How many of them there are.
#[derive(Default)]
pub(crate) struct Leaving(watch::Sender<usize>);

impl Leaving {
    /// One more, until the guard is dropped.
    pub(super) fn begin(&self) -> Guard {
        self.0.send_modify(|count| *count += 1);
        Guard(self.0.clone())
    }

    /// Waits until each of them is done.
    pub(super) async fn done(&self) {
        // The sender is this one, so there is no error.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// One that has left.
pub(super) struct Guard(watch::Sender<usize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn who_waits_waits_for_all_that_are_there() {
        let leaving = Leaving::default();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(leaving.done()).poll(&mut cx).is_ready());
        let (one, other) = (leaving.begin(), leaving.begin());
        let mut done = pin!(leaving.done());
        assert!(done.as_mut().poll(&mut cx).is_pending());
        drop(one);
        assert!(done.as_mut().poll(&mut cx).is_pending());
        drop(other);
        assert!(done.as_mut().poll(&mut cx).is_ready());
    }
}
