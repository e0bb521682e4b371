//! Each option changes what the server does.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use flux_core::{Error, ErrorKind};
use flux_nats_server::{Server, ServerBuilder, Tls};

use crate::cleanup::Folder;
use crate::{Client, started, tls_file};

async fn refused(builder: ServerBuilder) -> Error {
    builder.start().await.expect_err("refused")
}

#[tokio::test]
async fn a_name_is_told_to_clients() {
    let server = started(Server::builder().name("ledger")).await;
    let client = Client::connect(server.port()).unwrap();
    assert!(client.info.contains(r#""server_name":"ledger""#), "{}", client.info);
    assert_eq!(server.name(), "ledger");
}

#[tokio::test]
async fn a_payload_above_the_limit_is_refused() {
    let server = started(Server::builder().max_payload(1000)).await;
    let mut client = Client::login(server.port(), "").unwrap();
    client.send(&format!("PUB a 1000\r\n{}", "x".repeat(1000))).unwrap();
    assert_eq!(client.ping(), "PONG");
    client.send(&format!("PUB a 1001\r\n{}", "x".repeat(1001))).unwrap();
    assert_eq!(client.line().unwrap(), "-ERR 'Maximum Payload Violation'");
}

#[tokio::test]
async fn only_users_with_their_password_come_in() {
    let server = started(Server::builder().user("ann", "p\"w$1").user("bob", "s3cret")).await;
    let ping = |user, pass| {
        let fields = format!(r#","user":"{user}","pass":"{pass}""#);
        Client::login(server.port(), &fields).unwrap().ping()
    };
    assert_eq!(ping("ann", r#"p\"w$1"#), "PONG");
    assert_eq!(ping("bob", "s3cret"), "PONG");
    assert_eq!(ping("bob", "guess"), "-ERR 'Authorization Violation'");
}

#[tokio::test]
async fn only_clients_with_the_token_come_in() {
    let server = started(Server::builder().token("t0ken")).await;
    let ping = |fields: &str| Client::login(server.port(), fields).unwrap().ping();
    assert_eq!(ping(r#","auth_token":"t0ken""#), "PONG");
    assert_eq!(ping(""), "-ERR 'Authorization Violation'");
}

#[tokio::test]
async fn further_lines_reach_the_server_and_win() {
    let nkey = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    let lines = format!("max_payload: 2048\nauthorization {{ users: [{{ nkey: {nkey} }}] }}");
    let server = started(Server::builder().max_payload(1024).config(&lines)).await;
    let client = Client::connect(server.port()).unwrap();
    assert!(client.info.contains(r#""max_payload":2048"#), "{}", client.info);
    assert!(client.info.contains(r#""auth_required":true"#) && client.info.contains(r#""nonce":"#), "{}", client.info);
}

#[tokio::test]
async fn tls_is_required_and_with_an_authority_a_certificate_too() {
    let tls = || Tls::new(tls_file("server.pem"), tls_file("server.key"));
    let open = started(Server::builder().tls(tls())).await;
    let mut client = Client::connect(open.port()).unwrap();
    assert!(client.info.contains(r#""tls_required":true"#) && !client.info.contains("tls_verify"), "{}", client.info);
    assert!(open.url().starts_with("tls://"));
    client.send("CONNECT {}").unwrap();
    assert_ne!(client.try_ping().unwrap_or_default(), "PONG");

    let closed = started(Server::builder().tls(tls().with_client_ca(tls_file("ca.pem")))).await;
    let info = Client::connect(closed.port()).unwrap().info;
    assert!(info.contains(r#""tls_verify":true"#), "{info}");
}

#[tokio::test]
async fn monitoring_is_served_where_it_says() {
    let server = started(Server::builder().with_monitoring().name("watched")).await;
    let address = server.monitoring_url().unwrap().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /varz HTTP/1.0\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.contains(r#""server_name": "watched""#), "{page}");
    assert_eq!(started(Server::builder()).await.monitoring_url(), None);
}

#[tokio::test]
async fn a_config_file_is_read_and_its_port_is_not() {
    let folder = Folder::new();
    let file = folder.path().join("own.conf");
    fs::write(&file, "max_payload: 4096\nport: 4222\nhost: \"0.0.0.0\"").unwrap();
    let server = started(Server::builder().config_file(&file).with_jetstream()).await;
    let mut client = Client::login(server.port(), "").unwrap();
    assert!(client.info.contains(r#""max_payload":4096"#), "{}", client.info);
    assert!(client.info.contains(r#""host":"127.0.0.1""#), "{}", client.info);
    assert!(client.create_stream(1).contains("did_create"));

    let error = refused(Server::builder().config_file(&file).max_payload(1)).await;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("own.conf"), "{error}");
}

#[tokio::test]
async fn a_bad_config_shows_what_the_server_says_of_it() {
    let error = refused(Server::builder().config("max_paylod: 7")).await;
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(!error.is_retryable());
    assert!(error.to_string().contains("max_paylod"), "{error}");
}

#[tokio::test]
async fn a_port_in_use_is_named_by_the_error() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = refused(Server::builder().port(port)).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let text = error.to_string();
    assert!(text.contains("address already in use") && text.contains(&port.to_string()), "{text}");
    drop(listener);
    assert_eq!(started(Server::builder().port(port)).await.port(), port);
}

#[tokio::test]
async fn a_start_that_takes_too_long_says_so_and_leaves_nothing() {
    let folder = Folder::new();
    let error = refused(Server::builder().timeout(Duration::ZERO).jetstream(folder.path())).await;
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("0ns"), "{error}");
    crate::cleanup::await_no_server_in(folder.path()).await;
}
