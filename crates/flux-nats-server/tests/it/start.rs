//! Ready means ready, on a port and in a store of its own.

use flux_nats_server::Server;

use crate::{Client, started};

#[tokio::test]
async fn a_plain_server_answers_and_has_no_jetstream() {
    let server = started(Server::builder()).await;
    let mut client = Client::login(server.port(), "").unwrap();
    assert_eq!(client.ping(), "PONG");
    assert!(!client.info.contains(r#""jetstream":true"#), "{}", client.info);
    assert_eq!(server.url(), format!("nats://127.0.0.1:{}", server.port()));
    assert_eq!(server.store_dir(), None);
    assert!(client.info.contains(&format!(r#""version":"{}""#, server.version())), "{}", client.info);
}

#[tokio::test]
async fn jetstream_takes_a_stream_as_soon_as_it_has_started() {
    let server = started(Server::builder().with_jetstream()).await;
    let mut client = Client::login(server.port(), "").unwrap();
    let answer = client.create_stream(1);
    assert!(answer.contains(r#""did_create":true"#), "{answer}");
    assert!(server.store_dir().unwrap().join("jetstream").is_dir());
}

#[tokio::test]
async fn servers_side_by_side_share_neither_port_nor_store() {
    let (one, other) =
        tokio::join!(started(Server::builder().with_jetstream()), started(Server::builder().with_jetstream()));
    assert_ne!(one.port(), other.port());
    Client::login(one.port(), "").unwrap().create_stream(1);
    let there = Client::login(other.port(), "").unwrap().stream_info();
    assert!(there.contains("stream not found"), "{there}");
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_does_not_end_the_wait() {
    let server = started(Server::builder().with_jetstream()).await;
    server.restart().await.unwrap();
    assert_eq!(Client::login(server.port(), "").unwrap().ping(), "PONG");
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_leaves_nothing_behind() {
    let dir = crate::cleanup::Folder::new();
    let start = Server::builder().jetstream(dir.path()).start();
    // The first poll hands the work over; the branch that is ready at once drops the future.
    tokio::select! { biased; _ = start => panic!("started without waiting"), () = std::future::ready(()) => {} }
    crate::cleanup::eventually(|| dir.path().join("jetstream").is_dir()).await;
    crate::cleanup::await_no_server_in(dir.path()).await;
}
