//! Stopped, killed, paused, let go: what clients see, and what is still there afterwards.

use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

use flux_nats_server::Server;

use crate::{Client, started};

/// A server whose stream holds three messages.
async fn with_three_messages() -> Server {
    let server = started(Server::builder().with_jetstream()).await;
    let mut client = Client::login(server.port(), "").unwrap();
    client.create_stream(1);
    for _ in 0..3 {
        let receipt = client.ask("orders.created", "{}");
        assert!(receipt.contains(r#""seq":"#), "{receipt}");
    }
    server
}

fn assert_three_messages(server: &Server) {
    let info = Client::login(server.port(), "").unwrap().stream_info();
    assert!(info.contains(r#""messages":3"#), "{info}");
}

#[tokio::test]
async fn a_restart_keeps_port_store_and_log() {
    let server = with_three_messages().await;
    let (port, pid) = (server.port(), server.pid().unwrap());
    server.restart().await.unwrap();
    assert_eq!(server.port(), port);
    assert_ne!(server.pid().unwrap(), pid);
    assert_three_messages(&server);
    assert_eq!(server.logs().matches("Server is ready").count(), 2);
}

#[tokio::test]
async fn stop_lets_the_server_end_by_itself() {
    let server = with_three_messages().await;
    let mut client = Client::login(server.port(), "").unwrap();
    assert_eq!(client.ping(), "PONG");
    server.stop().await.unwrap();
    assert_eq!(client.line().unwrap(), "");
    assert!(server.logs().contains("Server Exiting"), "{}", server.logs());
    let refused = Client::connect(server.port()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    server.start().await.unwrap();
    assert_three_messages(&server);
}

#[tokio::test]
async fn kill_gives_no_warning_and_loses_nothing_stored() {
    let server = with_three_messages().await;
    server.kill().await.unwrap();
    assert!(!server.logs().contains("Exiting"), "{}", server.logs());
    assert_eq!(Client::connect(server.port()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    server.start().await.unwrap();
    assert_three_messages(&server);
}

#[tokio::test]
async fn a_paused_server_keeps_connections_and_answers_nothing() {
    let server = started(Server::builder()).await;
    let mut client = Client::login(server.port(), "").unwrap();
    assert_eq!(client.ping(), "PONG");
    server.pause().await.unwrap();
    let pid = server.pid().unwrap().to_string();
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid]).output().unwrap();
    assert!(state.stdout.starts_with(b"T"), "{state:?}");

    client.patience(Duration::from_millis(100));
    client.send("PING").unwrap();
    let silence = client.line().unwrap_err().kind();
    assert!(matches!(silence, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silence:?}");

    server.resume().await.unwrap();
    client.patience(Duration::from_secs(20));
    assert_eq!(client.line().unwrap(), "PONG");
}

#[tokio::test]
async fn a_paused_server_can_be_stopped_killed_and_restarted() {
    let server = started(Server::builder()).await;
    server.pause().await.unwrap();
    server.stop().await.unwrap();
    server.start().await.unwrap();
    server.pause().await.unwrap();
    server.kill().await.unwrap();
    server.start().await.unwrap();
    server.pause().await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(Client::login(server.port(), "").unwrap().ping(), "PONG");
}

#[tokio::test]
async fn a_lame_duck_tells_its_clients_and_ends() {
    let times = "lame_duck_grace_period: \"1ms\"\nlame_duck_duration: \"30s\"";
    let server = started(Server::builder().config(times)).await;
    let mut client = Client::login(server.port(), r#","protocol":1"#).unwrap();
    assert_eq!(client.ping(), "PONG");
    server.lame_duck().await.unwrap();
    let told = std::iter::repeat_with(|| client.line().unwrap())
        .find(|line| line.contains(r#""ldm":true"#) || line.is_empty());
    assert!(told.unwrap().starts_with("INFO"));
    drop(client);
    server.wait().await.unwrap();
    server.start().await.unwrap();
    assert_eq!(Client::login(server.port(), "").unwrap().ping(), "PONG");
}
