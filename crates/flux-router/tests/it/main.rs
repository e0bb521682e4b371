//! The rules of the worker loop, on a transport whose every move is scripted and on the in-process ones.
#![expect(clippy::async_yields_async, reason = "the second signal follows the first")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "a script is as long as the test that wrote it")]
#![expect(clippy::unnecessary_wraps, reason = "deliveries are items of a stream, which are results")]

mod digits;
mod double;

mod answer;
mod by_hand;
mod check;
mod drain;
mod ending;
mod extract;
mod ladder;
mod letters;
mod options;
mod order;
mod panics;
mod rebuild;
mod requests;
mod settled;
mod signals;
mod stream;

use flux_core::Result;
use flux_router::{Handle, Report, Router};
use tokio::task::JoinHandle;

/// Runs a router until it is live.
async fn start(router: Router) -> (Handle, JoinHandle<Result<Report>>) {
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    (handle, running)
}
