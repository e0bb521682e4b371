//! Calls that the server's state does not allow are errors that say why.

use flux_core::{ErrorKind, Result};
use flux_nats_server::Server;

use crate::started;

fn refused(result: Result<()>, why: &str) {
    let error = result.expect_err(why);
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(!error.is_retryable() && error.to_string().contains(why), "{error}");
}

#[tokio::test]
async fn a_server_that_runs_is_not_started_or_resumed() {
    let server = started(Server::builder()).await;
    refused(server.start().await, "it runs");
    refused(server.resume().await, "not paused");
    server.pause().await.unwrap();
    refused(server.pause().await, "paused already");
    refused(server.start().await, "it runs");
}

#[tokio::test]
async fn a_server_that_is_down_takes_no_other_call() {
    let server = started(Server::builder()).await;
    server.stop().await.unwrap();
    assert_eq!(server.pid(), None);
    refused(server.stop().await, "does not run");
    refused(server.kill().await, "does not run");
    refused(server.pause().await, "does not run");
    refused(server.resume().await, "does not run");
    refused(server.lame_duck().await, "does not run");
    server.wait().await.unwrap();
    server.restart().await.unwrap();
    assert!(server.pid().is_some());
}

#[tokio::test]
async fn one_that_ended_by_itself_is_started_again() {
    let server = started(Server::builder()).await;
    let pid = server.pid().unwrap();
    crate::cleanup::kill(pid);
    server.wait().await.unwrap();
    assert_eq!(server.pid(), None);
    server.start().await.unwrap();
    assert_ne!(server.pid().unwrap(), pid);
}
