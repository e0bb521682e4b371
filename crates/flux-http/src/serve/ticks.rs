//! A clock that ticks for all connections of a server.
//!
//! While there is a timer in it, a runtime with nothing to do asks the system to be woken in time. That took 5 % of a request on
//! a connection of its own, measured on Linux; so there the ticks come as what is read from a file, and cost nothing in between.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

/// Ticks until nobody listens any more.
pub(super) fn start(interval: Duration) -> watch::Receiver<()> {
    let (ticking, ticks) = watch::channel(());
    tokio::spawn(async move {
        let mut clock = Clock::new(interval);
        let mut nobody = pin!(ticking.closed());
        loop {
            let is_over = poll_fn(|cx| match nobody.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => clock.poll_tick(cx).map(|()| false),
            });
            if is_over.await {
                return;
            }
            ticking.send_replace(());
        }
    });
    ticks
}

struct Clock {
    interval: Duration,
    #[cfg(target_os = "linux")]
    file: Option<file::File>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    fn new(interval: Duration) -> Self {
        Self {
            interval,
            #[cfg(target_os = "linux")]
            file: file::open(interval).ok(),
            sleep: None,
        }
    }

    fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        #[cfg(target_os = "linux")]
        if let Some(file) = &self.file {
            match file::poll_read(file, cx) {
                Poll::Ready(Err(_)) => self.file = None,
                polled => return polled.map(drop),
            }
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(self.interval)));
        let polled = sleep.as_mut().poll(cx);
        if polled.is_ready() {
            self.sleep = None;
        }
        polled
    }
}

/// Ticks as Linux has them: `timerfd_create(2)`.
#[cfg(target_os = "linux")]
mod file {
    use std::io;
    use std::task::{Context, Poll, ready};
    use std::time::Duration;

    use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};
    use rustix::time::{timerfd_create, timerfd_settime};
    /// Reads a file that is polled for, of whatever kind.
    pub(super) use tokio::net::unix::pipe::Receiver as File;

    pub(super) fn open(interval: Duration) -> io::Result<File> {
        let file = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let each = interval.try_into().map_err(io::Error::other)?;
        timerfd_settime(&file, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: each, it_value: each })?;
        File::from_owned_fd_unchecked(file)
    }

    /// Ready when it has ticked, once or more.
    pub(super) fn poll_read(file: &File, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(file.poll_read_ready(cx))?;
            match file.try_read(&mut [0; 8]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ticks_for_everybody_until_nobody_listens() {
        let mut one = start(Duration::from_millis(5));
        let mut other = one.clone();
        for _ in 0..3 {
            one.changed().await.expect("it ticks");
            other.changed().await.expect("it ticks");
        }
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert_eq!(tasks(), 1);
        drop((one, other));
        tokio::task::yield_now().await;
        assert_eq!(tasks(), 0);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn no_timer_of_the_runtime_is_needed() {
        // This runtime's clock would run ahead as soon as all tasks wait for it.
        let mut ticks = start(Duration::from_millis(5));
        tokio::time::pause();
        let before = tokio::time::Instant::now();
        ticks.changed().await.expect("it ticks");
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}
