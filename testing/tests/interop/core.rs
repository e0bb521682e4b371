//! Core NATS: publish and subscribe, ask and answer, in both directions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use flux_codec::Json;
use flux_core::{
    ErrorKind, Message, Publisher as _, RemoteError, Reply as _, Requester as _, Responder, Subscriber as _, header,
};
use flux_nats_server::Server;
use flux_testing::Peer;
use futures_util::StreamExt as _;
use serde_json::json;

use crate::{Order, arrived, served};

#[tokio::test]
async fn what_python_publishes_arrives_with_its_headers() {
    let (server, nats) = served(Server::builder()).await;
    let mut orders = Box::pin(nats.clone().typed(Json).subscribe("orders.>").await.unwrap());
    nats.flush().await.unwrap();
    let headers = r#"{"X-Tenant": "acme", "x-lower": "größe", "X-Message-ID": "o-7"}"#;
    let peer = Peer::start(server.url(), "publish", &["orders.created", r#"{"id": 7}"#, headers]).await;
    let message = arrived::<Order, _>(&mut orders).await.message;
    peer.done().await;
    assert_eq!((message.subject.as_str(), message.payload), ("orders.created", Order { id: 7 }));
    let mut headers: Vec<_> = message.headers.iter().collect();
    headers.sort_unstable();
    assert_eq!(headers, [("X-Message-ID", "o-7"), ("X-Tenant", "acme"), ("x-lower", "größe")]);
}

#[tokio::test]
async fn what_flux_publishes_arrives_in_python_with_its_headers() {
    let (server, nats) = served(Server::builder()).await;
    let mut peer = Peer::start(server.url(), "subscribe", &["orders.>", "1"]).await;
    let order = Message::new("orders.created", Order { id: 7 }).unwrap();
    let order = order.with_id("o-7").unwrap().with_header("x-Tenant", "größe").unwrap();
    nats.clone().typed(Json).send(order).await.unwrap();
    nats.flush().await.unwrap();
    let told = peer.told().await;
    peer.done().await;
    assert_eq!((&told["subject"], &told["data"]), (&json!("orders.created"), &json!(r#"{"id":7}"#)));
    let headers = json!({"X-Message-ID": "o-7", "x-Tenant": "größe"});
    assert_eq!(told["headers"], headers);
}

#[tokio::test]
async fn async_nats_and_flux_read_each_other() {
    let (server, nats) = served(Server::builder()).await;
    let raw = async_nats::connect(server.url()).await.unwrap();
    let mut theirs = raw.subscribe("orders.>").await.unwrap();
    let mut ours = Box::pin(nats.clone().typed(Json).subscribe("orders.>").await.unwrap());
    raw.flush().await.unwrap();
    nats.flush().await.unwrap();

    let mut headers = HeaderMap::new();
    headers.append("X-Again", "one");
    headers.append("X-Again", "two");
    raw.publish_with_headers("orders.theirs", headers, r#"{"id":1}"#.into()).await.unwrap();
    raw.flush().await.unwrap();
    let message = arrived::<Order, _>(&mut ours).await.message;
    assert_eq!(message.payload, Order { id: 1 });
    assert_eq!(message.headers.get_all("X-Again").collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(theirs.next().await.unwrap().subject.as_str(), "orders.theirs");

    nats.clone().typed(Json).publish("orders.ours", Order { id: 2 }).await.unwrap();
    let message = theirs.next().await.unwrap();
    assert_eq!((message.subject.as_str(), &*message.payload), ("orders.ours", br#"{"id":2}"#.as_slice()));
    assert!(message.headers.is_none(), "JSON goes without saying");
}

#[tokio::test]
async fn python_asks_and_flux_answers() {
    let (server, nats) = served(Server::builder()).await;
    let bus = nats.clone().typed(Json);
    let mut requests = Box::pin(Responder::<Order, Order>::listen(&bus, "quotes.get").await.unwrap());
    nats.flush().await.unwrap();

    let mut peer = Peer::start(server.url(), "request", &["quotes.get", r#"{"id": 3}"#]).await;
    let asked = arrived(&mut requests).await;
    let answer = asked.message.map(|Order { id }| Order { id: id + 1 });
    asked.acker.reply(Ok(answer)).await.unwrap();
    assert_eq!(peer.told().await["data"], r#"{"id":4}"#);
    peer.done().await;

    let mut peer = Peer::start(server.url(), "request", &["quotes.get", r#"{"id": 3}"#]).await;
    let asked = arrived(&mut requests).await;
    asked.acker.reply(Err::<Message<Order>, _>(RemoteError::new("409", "sold out"))).await.unwrap();
    let headers = &peer.told().await["headers"];
    assert_eq!(
        (&headers["Nats-Service-Error"], &headers["Nats-Service-Error-Code"]),
        (&json!("sold out"), &json!("409"))
    );
    assert_eq!((&headers["X-Status"], &headers["X-Error-Code"]), (&json!("error"), &json!("409")));
    peer.done().await;
}

#[tokio::test]
async fn flux_asks_and_python_answers() {
    let (server, nats) = served(Server::builder()).await;
    let mut peer = Peer::start(server.url(), "respond", &["quotes.get"]).await;
    let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(30);
    let deadline = u64::try_from(soon.as_millis()).unwrap();
    let request = Message::new("quotes.get", Order { id: 3 }).unwrap().with_header(header::DEADLINE, deadline).unwrap();
    let answer: Message<Order> = nats.typed(Json).ask(request).await.unwrap();
    assert_eq!(answer.payload, Order { id: 3 });
    let told = peer.told().await;
    assert!(told["headers"]["Content-Type"].is_null(), "JSON goes without saying");
    assert_eq!(told["headers"]["X-Deadline"], deadline.to_string());
}

#[tokio::test]
async fn the_error_of_a_python_service_is_a_remote_error() {
    let (server, nats) = served(Server::builder()).await;
    let _peer = Peer::start(server.url(), "service", &["quotes.get", "404", "no such quote"]).await;
    let asked = nats.typed(Json).request("quotes.get", Order { id: 3 }).await;
    let error = asked.map(|_: Order| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Remote);
    let remote = error.remote().unwrap();
    assert_eq!((remote.code(), remote.message()), ("404", "no such quote"));
}
