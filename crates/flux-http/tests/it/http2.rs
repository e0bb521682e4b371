//! HTTP/2 over real sockets; how long its connections are kept is tested beside the code, where the clock stands still.

use std::time::Duration;

use bytes::Bytes;
use flux_core::{ErrorKind, Outcome, Publisher as _, Result, Subscriber, next};
use flux_http::{HttpClient, HttpClientConfig, HttpServerConfig};

use crate::connections::Detour;
use crate::{serving, within};

#[tokio::test]
async fn an_idle_connection_of_http2_makes_room_for_the_next() -> Result<()> {
    let config = HttpServerConfig::new().with_max_connections(1).with_header_timeout(Duration::from_millis(50));
    let (_server, address) = serving(config).await;
    let base = format!("http://{address}");
    let http2 = || HttpClient::new(&base, HttpClientConfig::new().with_http2());
    // Both are kept in a pool, and answer pings there.
    let clients = [http2()?, http2()?];
    for client in &clients {
        let error = within(client.publish("a", Bytes::new())).await.expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::NoResponder);
    }
    Ok(())
}

#[tokio::test]
async fn http2_is_spoken_where_the_connector_says_that_it_is_offered() -> Result<()> {
    let (server, address) = serving(HttpServerConfig::new().with_max_connections(1)).await;
    let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a").await?);
    let mut detour = Detour::new(address);
    detour.offers_http2 = true;
    let bus = HttpClient::with_connector("https://orders.example", detour.clone(), HttpClientConfig::new())?;
    within(bus.publish("nobody", Bytes::new())).await.expect_err("the connection is made");
    // All at once on that one, which HTTP/1.1 cannot do.
    let sent = [(); 3].map(|()| {
        let bus = bus.clone();
        tokio::spawn(async move { bus.publish("a", Bytes::new()).await })
    });
    let mut held = Vec::new();
    while held.len() < sent.len() {
        held.push(within(next(deliveries.as_mut())).await.expect("one")?);
    }
    for delivery in held {
        delivery.settle(Outcome::Ack).await?;
    }
    for sent in sent {
        assert_eq!(within(sent).await.expect("no panic")?.status, 204);
    }
    assert_eq!(detour.made(), 1);
    Ok(())
}
