//! Calls as tasks: on several threads, stopped by a drop, with their ids.

use std::sync::{Arc, Barrier};

use flux_core::{Error, Headers, Message, Scope, Stage, header, subject};
use flux_stage::{MapEach, Spawned};
use tokio::sync::oneshot;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_run_on_several_threads_at_the_same_time() {
    // Two calls that wait for each other without yielding: on one thread neither would return.
    let barrier = Arc::new(Barrier::new(2));
    let stage = Spawned::new(move |n: u32| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait();
            Ok::<_, Error>(n)
        }
    });
    assert_eq!(MapEach::new(stage).process(vec![1, 2]).await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn a_dropped_future_stops_its_task() {
    // The sender is dropped when the task is, and not before.
    let (sender, receiver) = oneshot::channel::<()>();
    let stage = Spawned::new(|sender: oneshot::Sender<()>| async move {
        std::future::pending::<()>().await;
        drop(sender);
        Ok::<_, Error>(())
    });
    let mut call = Box::pin(stage.process(sender));
    assert!(crate::double::poll_once(call.as_mut()).is_pending());
    tokio::task::yield_now().await;
    drop(call);
    assert!(receiver.await.is_err());
}

#[tokio::test]
async fn a_panic_goes_on_in_the_caller() {
    let stage = Spawned::new(|n: u32| async move {
        assert!(n > 0, "zero");
        Ok::<_, Error>(n)
    });
    assert_eq!(stage.process(1).await.unwrap(), 1);
    let caller = tokio::spawn(async move { stage.process(0).await });
    assert!(caller.await.unwrap_err().is_panic());
}

#[tokio::test]
async fn ids_travel_into_the_task() {
    let stage = Spawned::new(|mut headers: Headers| async move {
        Scope::stamp(&mut headers);
        Ok::<_, Error>(headers)
    });
    let incoming = Message::to(subject!("a"), ()).with_id("m-1").unwrap();
    let stamped = Scope::of(&incoming.headers).run(stage.process(Headers::new())).await.unwrap();
    assert_eq!(stamped.get(&header::CAUSATION_ID), Some("m-1"));
}
