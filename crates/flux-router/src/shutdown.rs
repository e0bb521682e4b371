//! When to stop, and when to stop waiting for it.

use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::task::{Context, Poll};

use flux_core::BoxFuture;

/// What may follow a first request to stop: a second one, which cuts the drain short.
///
/// The output of the future given to [`Router::run_until`](crate::Router::run_until) becomes one; `()` and any `Result` stand for
/// "no second request will come".
pub struct SecondSignal(BoxFuture<'static, ()>);

impl SecondSignal {
    /// Cuts the drain short when `future` is done.
    pub fn when(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }
}

/// Done when the second request has come.
impl Future for SecondSignal {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for SecondSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecondSignal")
    }
}

impl From<()> for SecondSignal {
    fn from((): ()) -> Self {
        Self::when(pending())
    }
}

impl<T, E> From<Result<T, E>> for SecondSignal {
    fn from(_: Result<T, E>) -> Self {
        Self::when(pending())
    }
}

/// Waits for SIGINT or SIGTERM (Ctrl-C elsewhere than on Unix). A second one then cuts the drain short.
///
/// The signals no longer end the process by themselves from the first poll on.
///
/// # Panics
/// When the runtime was built without its I/O driver, or the system refuses to report signals.
#[cfg(feature = "signal")]
pub async fn shutdown_signal() -> SecondSignal {
    let mut signals = signals::Signals::listen();
    signals.next().await;
    SecondSignal::when(async move { signals.next().await })
}

#[cfg(all(feature = "signal", unix))]
mod signals {
    //! SIGINT and SIGTERM.

    use std::future::poll_fn;
    use std::task::Poll;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) struct Signals {
        interrupt: Signal,
        terminate: Signal,
    }

    impl Signals {
        pub(super) fn listen() -> Self {
            let listen = |kind| signal(kind).expect("the system reports signals to a process that asks");
            Self { interrupt: listen(SignalKind::interrupt()), terminate: listen(SignalKind::terminate()) }
        }

        pub(super) async fn next(&mut self) {
            poll_fn(|cx| {
                let came = self.interrupt.poll_recv(cx).is_ready() || self.terminate.poll_recv(cx).is_ready();
                if came { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }
}

#[cfg(all(feature = "signal", not(unix)))]
mod signals {
    //! Ctrl-C.

    pub(super) struct Signals;

    impl Signals {
        pub(super) fn listen() -> Self {
            Self
        }

        pub(super) async fn next(&mut self) {
            tokio::signal::ctrl_c().await.expect("the system reports Ctrl-C to a process that asks");
        }
    }
}
