//! What a request gets: a status, a code and a payload, in every case.

use std::time::Duration;

use async_nats::HeaderMap;
use flux_core::{ErrorKind, Failure, Message, RemoteError, Requester as _, Status, header};
use flux_router::{Answer, RequestRoute, Router};

use crate::{Order, Running, Site, within};

/// One request for each way in which a request can end.
async fn answer(order: Message<Order>) -> Result<Answer<Order>, Failure> {
    match order.payload.id {
        0 => Ok(Answer::success(order.payload).with_header("X-Price", "9.5")?),
        1 => Ok(Answer::partial(order.payload, "no_price")),
        2 => Err(RemoteError::fail("409", "sold out").with_details("until May").into()),
        3 => Err(RemoteError::new("overload", "try later").into()),
        4 => Err(Failure::retry("the price list is gone")),
        5 => panic!("a bug"),
        _ => std::future::pending().await,
    }
}

async fn serve(site: &Site) -> Running {
    let route = RequestRoute::answering("quotes.get", &site.nats, answer);
    Running::start(Router::new().add(route.max_run_time(Duration::from_millis(200)).concurrency(2))).await
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.as_str())
}

#[tokio::test]
async fn status_and_code_are_on_the_wire() {
    let site = Site::start().await;
    let service = serve(&site).await;
    let client = async_nats::connect(site.server.url()).await.unwrap();
    for (id, status, code, text) in [
        (r#"{"id":0}"#, "success", "", ""),
        (r#"{"id":1}"#, "partial", "no_price", ""),
        (r#"{"id":2}"#, "fail", "409", "sold out"),
        (r#"{"id":3}"#, "error", "overload", "try later"),
        (r#"{"id":4}"#, "error", "500", "the price list is gone"),
        (r#"{"id":5}"#, "error", "500", "the handler panicked: a bug"),
        (r#"{"id":6}"#, "error", "504", "the handler took longer than 200ms"),
    ] {
        let told = within(client.request("quotes.get", id.into())).await.unwrap();
        let headers = told.headers.unwrap();
        let found = ["X-Status", "X-Error-Code", "Nats-Service-Error"].map(|name| header(&headers, name));
        assert_eq!(found, [status, code, text], "{id}");
        let payload = if status == "success" || status == "partial" { id } else { "" };
        let payload = if code == "409" { "until May" } else { payload };
        assert_eq!(told.payload, payload, "{id}");
    }
    let told = within(client.request("quotes.get", "no order".into())).await.unwrap().headers.unwrap();
    assert_eq!(["X-Status", "X-Error-Code"].map(|name| header(&told, name)), ["error", "400"]);
    let total = service.stop().await.total();
    assert_eq!((total.handled, total.failed_panic, total.failed_timeout, total.undecodable), (2, 1, 1, 1));
}

#[tokio::test]
async fn an_answer_is_an_answer_and_an_error_an_error() {
    let site = Site::start().await;
    let service = serve(&site).await;
    let ask = async |id| -> flux_core::Result<Message<Order>> {
        within(site.nats.ask(Message::new("quotes.get", Order { id })?)).await
    };
    let whole = ask(0).await.unwrap();
    assert_eq!((Status::of(&whole.headers), whole.headers.get("X-Price")), (Some(Status::Success), Some("9.5")));
    let part = ask(1).await.unwrap();
    assert_eq!((Status::of(&part.headers), part.payload), (Some(Status::Partial), Order { id: 1 }));
    assert_eq!(part.headers.get(&header::ERROR_CODE), Some("no_price"));
    for (id, status, code, retryable) in [
        (2, Status::Fail, "409", false),
        (3, Status::Error, "overload", false),
        (4, Status::Error, "500", true),
        (6, Status::Error, "504", true),
    ] {
        let error = ask(id).await.unwrap_err();
        let remote = error.remote().unwrap();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Remote, retryable), "{id}");
        assert_eq!((remote.status(), remote.code()), (status, code), "{id}");
    }
    service.stop().await;
}

#[tokio::test]
async fn an_answer_without_a_status_costs_no_header() {
    async fn plain(order: Message<Order>) -> Result<Order, Failure> {
        Ok(order.payload)
    }
    let site = Site::start().await;
    let service = Running::start(Router::new().respond("plain", &site.nats, plain)).await;
    let answer: Message<Order> = site.nats.ask(Message::new("plain", Order { id: 1 }).unwrap()).await.unwrap();
    assert_eq!((answer.headers.len(), Status::of(&answer.headers)), (0, None), "{answer:?}");
    service.stop().await;
}
