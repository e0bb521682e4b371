//! Servers that know each other, and what is left when the leader goes.

use std::time::Duration;

use flux_core::ErrorKind;
use flux_nats_server::{Cluster, Server};

use crate::Client;

/// The server that leads the stream, by name.
fn leader(info: &str) -> Option<&str> {
    let (_, rest) = info.split_once(r#""leader":""#)?;
    Some(rest.split_once('"')?.0)
}

#[tokio::test]
async fn three_servers_replicate_a_stream_and_survive_its_leader() {
    let cluster = Cluster::of(3).with_jetstream().start().await.unwrap();
    let names: Vec<_> = cluster.servers().iter().map(Server::name).collect();
    assert_eq!(names, ["n1", "n2", "n3"]);
    let urls: Vec<_> = cluster.url().split(',').collect();
    assert_eq!(urls, cluster.servers().iter().map(Server::url).collect::<Vec<_>>());

    let first = cluster.servers()[0].port();
    // Nobody answers while the cluster chooses another leader, as it may have to once it is under load.
    let create = || {
        let mut client = Client::login(first, "").unwrap();
        client.patience(Duration::from_secs(5));
        client.try_create_stream(3).ok()
    };
    let created = std::iter::repeat_with(create).flatten().next().unwrap();
    assert!(created.contains(r#""num_replicas":3"#) && !created.contains("error"), "{created}");
    let led_by = leader(&created).unwrap().to_owned();
    let mut client = Client::login(first, "").unwrap();
    assert!(client.ask("orders.created", "{}").contains(r#""seq":1"#));

    cluster.server(&led_by).unwrap().kill().await.unwrap();
    cluster.ready().await.unwrap();
    let other = cluster.servers().iter().find(|server| server.name() != led_by).unwrap();
    // Nobody answers for a stream while it has no leader.
    let ask = || {
        let mut client = Client::login(other.port(), "").unwrap();
        client.patience(Duration::from_millis(500));
        client.try_ask("$JS.API.STREAM.INFO.ORDERS", "").ok()
    };
    let is_led_anew = |info: &String| leader(info).is_some_and(|now| now != led_by);
    let info = std::iter::repeat_with(ask).flatten().find(is_led_anew).unwrap();
    assert!(info.contains(r#""messages":1"#), "{info}");

    cluster.server(&led_by).unwrap().start().await.unwrap();
    cluster.ready().await.unwrap();
}

#[tokio::test]
async fn a_cluster_without_jetstream_passes_messages_on() {
    let cluster = Cluster::of(2).each(|server| server.user("ann", "pw").max_payload(500)).start().await.unwrap();
    let login =
        |server: usize| Client::login(cluster.servers()[server].port(), r#","user":"ann","pass":"pw""#).unwrap();
    let (mut near, mut far) = (login(0), login(1));
    assert!(near.info.contains(r#""max_payload":500"#), "{}", near.info);
    near.send("SUB news 1").unwrap();
    assert_eq!(near.ping(), "PONG");
    // Interest travels along the route by itself; until it is there, a message is for nobody.
    let heard = loop {
        far.send("PUB news 2\r\nhi").unwrap();
        assert_eq!(far.ping(), "PONG");
        match near.ping().as_str() {
            "PONG" => {}
            line => break line.to_owned(),
        }
    };
    assert_eq!(heard, "MSG news 1 2");
}

#[tokio::test]
async fn a_cluster_of_one_or_of_one_port_is_refused() {
    let error = Cluster::of(1).start().await.expect_err("one server");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = Cluster::of(3).each(|server| server.port(4222)).start().await.expect_err("one port");
    assert!(error.to_string().contains("port"), "{error}");
}

#[tokio::test]
async fn each_server_keeps_its_files_below_the_given_folder() {
    let folder = crate::cleanup::Folder::new();
    let cluster = Cluster::of(2).jetstream(folder.path()).start().await.unwrap();
    assert_eq!(cluster.servers()[1].store_dir(), Some(folder.path().join("n2").as_path()));
    drop(cluster);
    assert!(folder.path().join("n1").is_dir() && folder.path().join("n2").is_dir());
}
