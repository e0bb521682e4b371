//! The service among the routes of axum, mounted as the crate's page says.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use flux_core::{Outcome, Result, Subscriber, next};
use flux_http::{HttpServer, HttpServerConfig};
use futures_util::future::join;
use http::{Request, Response};
use tower_service::Service as _;

use crate::within;

async fn post(app: &Router, path: &str) -> Response<Body> {
    let request = Request::post(path).body(Body::from("1")).expect("valid");
    within(app.clone().call(request)).await.expect("never fails")
}

/// Checks that a message posted there reaches a subscriber of `orders.created`.
async fn reaches(app: &Router, path: &str, server: &HttpServer) -> Result<()> {
    let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(server, "orders.created").await?);
    let handling = async {
        let delivery = within(next(deliveries.as_mut())).await.expect("one")?;
        assert_eq!((delivery.message.subject.as_str(), &delivery.message.payload[..]), ("orders.created", &b"1"[..]));
        delivery.settle(Outcome::Ack).await
    };
    let (answer, handled) = join(post(app, path), handling).await;
    assert_eq!(answer.status().as_u16(), 204, "{path}");
    handled
}

#[tokio::test]
async fn it_answers_where_it_is_mounted_and_nowhere_else() -> Result<()> {
    let (events, hooks) = (HttpServer::default(), HttpServer::new(HttpServerConfig::new().with_base("/hooks")));
    let app: Router =
        Router::new().nest_service("/events", events.service()).route_service("/hooks/{subject}", hooks.service());
    reaches(&app, "/events/orders.created", &events).await?;
    reaches(&app, "/hooks/orders.created", &hooks).await?;
    for (path, is_ours) in [
        ("/orders.created", false),
        ("/other/orders.created", false),
        ("/events/", true),
        ("/events/orders.lost", true),
        ("/events/hooks/orders.created", true),
    ] {
        let answer = post(&app, path).await;
        // What flux refuses is a problem, what axum refuses is empty.
        let refused = if is_ours { Some("application/problem+json") } else { None };
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().expect("text"));
        assert!(answer.status().is_client_error(), "{path}");
        assert_eq!(kind, refused, "{path}");
    }
    Ok(())
}
