//! The system's own signals.
#![cfg(all(unix, feature = "signal"))]

use std::process::Command;
use std::time::{Duration, Instant};

use flux_core::{Failure, Message};
use flux_router::{Router, shutdown_signal};

use crate::double::{Did, Script, idle};

fn signal(name: &str) {
    let this = std::process::id().to_string();
    assert!(Command::new("kill").args([name, &this]).status().unwrap().success());
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_cuts_it_short() {
    let script = Script::default();
    let sender = script.subscription();
    sender.send(script.delivery(1, 1)).unwrap();
    let hangs = |_: Message<u64>| std::future::pending::<Result<(), Failure>>();
    let router = Router::new().route("numbers.*", &script, hangs).drain_for(Duration::from_secs(3600));
    let handle = router.handle();
    let started = Instant::now();
    let running = tokio::spawn(router.run_until(shutdown_signal()));
    handle.ready().await.unwrap();
    idle().await;
    signal("-INT");
    handle.stopping().await;
    idle().await;
    assert!(!running.is_finished(), "the handler has an hour");
    signal("-TERM");
    let report = running.await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(3600));
    assert_eq!((report.withheld, script.log()), (1, vec![Did::Flushed]));
}
