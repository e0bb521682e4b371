//! The router over HTTP: what becomes of a failure is told to the sender, and not tried again in place.

use std::time::Duration;

use flux_codec::Json;
use flux_core::{Failure, FailureClass, Message, Result};
use flux_http::HttpServer;
use flux_router::{Route, Router};

use crate::{Answered, post, within};

async fn sort(message: Message<u32>) -> Result<(), Failure> {
    match message.payload {
        0 => Err(Failure::new(FailureClass::Retry, "a hiccup")),
        1 => Err(Failure::retry_after(Duration::from_secs(60), "later")),
        2 => Err(Failure::permanent("never")),
        3 => Err(Failure::drop("useless")),
        4 => panic!("boom"),
        _ => Ok(()),
    }
}

#[tokio::test]
async fn each_class_of_failure_is_a_status() -> Result<()> {
    let server = HttpServer::default();
    let bus = server.clone().typed(Json);
    let router = Router::new().add(Route::receiving("sort", &bus, sort));
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    within(handle.ready()).await?;
    for (body, status) in [("5", 204), ("0", 500), ("1", 500), ("2", 422), ("3", 204), ("4", 500), ("x", 400)] {
        let answer: Answered = within(post(&server, "/sort", &[], body)).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        let told = answer
            .headers
            .get("retry-after")
            .map(|value| value.to_str().expect("a number").parse::<u64>().expect("a number"));
        match body {
            "1" => assert!(told.is_some_and(|seconds| seconds >= 60), "{told:?}"),
            "0" | "4" => assert!(told.is_some(), "the router's own delay"),
            _ => assert_eq!(told, None, "{body}"),
        }
    }
    handle.stop();
    within(running).await.expect("no panic")?;
    assert_eq!(within(post(&server, "/sort", &[], "5")).await.status.as_u16(), 404, "nobody listens any more");
    Ok(())
}
