//! The statuses by which a server answers, each for its reason.

use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use flux_codec::Json;
use flux_core::{
    ErrorKind, Failure, Message, Outcome, QueueSubscriber as _, RemoteError, Reply as _, Responder, Result,
    Settle as _, Subscriber, next,
};
use flux_http::{HttpServer, HttpServerConfig};
use futures_util::future::join;
use http::{Method, Request};
use http_body_util::Full;
use hyper::service::Service as _;

use crate::{Answered, is_pending, post};

/// What the sender is told of one message that ends so.
async fn told(outcome: Option<Outcome>) -> Answered {
    let server = HttpServer::default();
    let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a").await.expect("open"));
    let handling = async {
        let delivery = next(deliveries.as_mut()).await.expect("one").expect("no error");
        match outcome {
            Some(outcome) => delivery.settle(outcome).await.expect("the sender waits"),
            None => drop(delivery),
        }
    };
    join(post(&server, "/a", &[], "x"), handling).await.0
}

#[tokio::test]
async fn the_outcome_is_the_status() {
    let done = told(Some(Outcome::Ack)).await;
    assert_eq!((done.status.as_u16(), done.body.len()), (204, 0));
    let failed = told(Some(Outcome::Nak)).await;
    assert_eq!((failed.status.as_u16(), failed.headers.get("retry-after")), (500, None));
    let later = told(Some(Outcome::NakAfter(Duration::from_millis(1200)))).await;
    assert_eq!((later.status.as_u16(), &later.headers["retry-after"]), (500, &"2".parse().expect("valid")));
    let never = told(Some(Outcome::term("no such carrier"))).await;
    assert_eq!((never.status.as_u16(), &never.problem()["detail"]), (422, &"no such carrier".into()));
    let dropped = told(None).await;
    assert_eq!(dropped.status.as_u16(), 500);
}

#[tokio::test]
async fn a_path_that_is_nobodys_is_404_and_one_that_is_no_subject_400() -> Result<()> {
    let server = HttpServer::default();
    let _deliveries = Subscriber::<Bytes>::subscribe(&server, "a.*").await?;
    for (path, status) in
        [("/a", 404), ("/b.c", 404), ("/", 404), ("/a..b", 400), ("/a/b", 400), ("/a.%zz", 400), ("/a.*", 400)]
    {
        let answer = post(&server, path, &[], "x").await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        answer.problem();
    }
    Ok(())
}

#[tokio::test]
async fn a_base_comes_before_the_subject() -> Result<()> {
    let server = HttpServer::new(HttpServerConfig::new().with_base("/events/").with_early_answer());
    let _deliveries = Subscriber::<Bytes>::subscribe(&server, "a").await?;
    for (path, status) in [("/events/a", 202), ("/a", 404), ("/events", 404), ("/eventsa", 404), ("/events/", 404)] {
        assert_eq!(post(&server, path, &[], "x").await.status.as_u16(), status, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn only_post_is_allowed() -> Result<()> {
    let server = HttpServer::default();
    let _deliveries = Subscriber::<Bytes>::subscribe(&server, "a").await?;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let request = Request::builder().method(method).uri("/a").body(Full::<Bytes>::default()).expect("valid");
        let answer = Answered::read(server.service().call(request).await.expect("never fails")).await;
        assert_eq!((answer.status.as_u16(), &answer.headers["allow"]), (405, &"POST".parse().expect("valid")));
    }
    Ok(())
}

#[tokio::test]
async fn what_does_not_decode_is_400_and_another_content_type_415() -> Result<()> {
    let server = HttpServer::default();
    let bus = server.clone().typed(Json);
    let mut deliveries = Box::pin(Subscriber::<u32>::subscribe(&bus, "n").await?);
    for (content_type, body, status) in
        [("application/json", "{", 400), ("text/csv", "1", 415), ("application/vnd.acme+json", "1", 415)]
    {
        for settled in [false, true] {
            let handling = async {
                let mut error = next(deliveries.as_mut()).await.expect("one").expect_err("unreadable");
                let undecodable = error.take_undecodable().expect("holds it");
                if settled {
                    undecodable.settle(Outcome::Ack).await.expect("the sender waits");
                }
            };
            let headers = [("content-type", content_type)];
            let (answer, ()) = join(post(&server, "/n", &headers, body), handling).await;
            assert_eq!(answer.status.as_u16(), status, "{content_type} {body} {settled}");
        }
    }
    // One that was not stored anywhere may be sent again, to be stored then.
    let handling = async {
        let mut error = next(deliveries.as_mut()).await.expect("one").expect_err("unreadable");
        error.take_undecodable().expect("holds it").settle(Outcome::Nak).await.expect("the sender waits");
    };
    assert_eq!(join(post(&server, "/n", &[], "{"), handling).await.0.status.as_u16(), 500);
    Ok(())
}

#[tokio::test]
async fn a_full_queue_is_429_for_all_or_none() -> Result<()> {
    let config = HttpServerConfig::new().with_capacity(1).with_retry_after(Duration::from_secs(7));
    let server = HttpServer::new(config.with_early_answer());
    let mut one = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a.>").await?);
    let mut two = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a.b").await?);
    assert_eq!(post(&server, "/a.b", &[], "1").await.status.as_u16(), 202);
    next(two.as_mut()).await.expect("one")?.settle(Outcome::Ack).await?;
    let full = post(&server, "/a.b", &[], "2").await;
    assert_eq!((full.status.as_u16(), &full.headers["retry-after"]), (429, &"7".parse().expect("valid")));
    // The one that had room did not get it: the next is what it takes next.
    next(one.as_mut()).await.expect("one")?.settle(Outcome::Ack).await?;
    assert_eq!(post(&server, "/a.b", &[], "3").await.status.as_u16(), 202);
    assert_eq!(next(two.as_mut()).await.expect("one")?.into_message().payload, "3");
    Ok(())
}

#[tokio::test]
async fn a_draining_server_is_503_and_hands_over_what_had_arrived() -> Result<()> {
    let server = HttpServer::default();
    let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a").await?);
    let draining = async {
        let delivery = next(deliveries.as_mut()).await.expect("one")?;
        server.drain();
        let refused = post(&server, "/a", &[], "late").await;
        assert_eq!((refused.status.as_u16(), &refused.headers["retry-after"]), (503, &"1".parse().expect("valid")));
        delivery.settle(Outcome::Ack).await?;
        assert!(next(deliveries.as_mut()).await.is_none(), "the subscription ends");
        Ok::<_, flux_core::Error>(())
    };
    let (answer, drained) = join(post(&server, "/a", &[], "x"), draining).await;
    drained?;
    assert_eq!(answer.status.as_u16(), 204);
    let refused = Subscriber::<Bytes>::subscribe(&server, "a").await.expect_err("drains");
    assert_eq!(refused.kind(), ErrorKind::Closed);
    Ok(())
}

#[tokio::test]
async fn a_subscriber_that_leaves_its_queue_is_503() -> Result<()> {
    let server = HttpServer::default();
    let deliveries = Subscriber::<Bytes>::subscribe(&server, "a").await?;
    let mut posting = pin!(post(&server, "/a", &[], "x"));
    assert!(is_pending(posting.as_mut()).await, "it waits in the queue");
    drop(deliveries);
    assert_eq!(posting.await.status.as_u16(), 503);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn past_the_deadline_is_504_and_settling_says_so() -> Result<()> {
    let server = HttpServer::new(HttpServerConfig::new().with_answer_timeout(Duration::from_secs(3)));
    let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a").await?);
    let started = tokio::time::Instant::now();
    assert_eq!(post(&server, "/a", &[], "x").await.status.as_u16(), 504);
    assert_eq!(started.elapsed(), Duration::from_secs(3));

    // A sender that has been answered while its message waited has nothing of it any more.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let soon = (now + Duration::from_secs(1)).as_millis().to_string();
    let started = tokio::time::Instant::now();
    let handling = async { next(deliveries.as_mut()).await.expect("the second") };
    let headers = [("x-deadline", soon.as_str())];
    let (answer, taken) = join(post(&server, "/a", &headers, "y"), handling).await;
    assert_eq!(answer.status.as_u16(), 504);
    assert!(started.elapsed() <= Duration::from_secs(1), "the sooner of both deadlines holds");
    let taken = taken?;
    assert_eq!(taken.message.payload, "y");
    assert_eq!(taken.acker.settle(Outcome::Ack).await.expect_err("too late").kind(), ErrorKind::Closed);
    Ok(())
}

#[tokio::test]
async fn an_early_answer_is_202_and_nothing_is_told_later() -> Result<()> {
    let server = HttpServer::new(HttpServerConfig::new().with_early_answer());
    let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a").await?);
    assert_eq!(post(&server, "/a", &[], "x").await.status.as_u16(), 202);
    let delivery = next(deliveries.as_mut()).await.expect("one")?;
    assert!(!delivery.acker.redelivers());
    delivery.settle(Outcome::Nak).await?;
    Ok(())
}

#[tokio::test]
async fn reasons_can_be_kept_from_strangers() -> Result<()> {
    let server = HttpServer::new(HttpServerConfig::new().without_reasons());
    let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a").await?);
    let handling = async {
        let delivery = next(deliveries.as_mut()).await.expect("one").expect("no error");
        delivery.settle(Outcome::term("password of db7 is wrong")).await.expect("the sender waits");
    };
    let (answer, ()) = join(post(&server, "/a", &[], "x"), handling).await;
    assert_eq!((answer.status.as_u16(), answer.problem().get("detail")), (422, None));
    Ok(())
}

async fn halve(request: Message<u32>) -> Result<u32, Failure> {
    match request.payload {
        0 => Err(RemoteError::new("404", "nothing to halve").with_details(r#"{"asked":0}"#).into()),
        1 => Err(RemoteError::new("odd_number", "1 is odd").into()),
        2 => Err(Failure::retry("broken")),
        n => Ok(n / 2),
    }
}

#[tokio::test]
async fn answers_are_200_and_errors_are_problems() -> Result<()> {
    let server = HttpServer::default();
    let bus = server.clone().typed(Json);
    let serving = tokio::spawn(async move { Responder::<u32, u32>::serve(&bus, "halve", halve).await });
    while post(&server, "/halve", &[], "4").await.status == 404 {
        tokio::task::yield_now().await;
    }
    let answer = post(&server, "/halve", &[("content-type", "application/json")], "8").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_ref()), (200, &b"4"[..]));
    assert_eq!(answer.headers["content-type"], "application/json");
    for (body, status, code) in [("0", 404, "404"), ("1", 422, "odd_number"), ("2", 500, "500"), ("x", 400, "400")] {
        let answer = post(&server, "/halve", &[], body).await;
        assert_eq!((answer.status.as_u16(), &answer.problem()["code"]), (status, &code.into()), "{body}");
        assert_eq!(
            (&answer.headers["x-error-code"], &answer.headers["x-status"]),
            (&code.parse().expect("valid"), &"error".parse().expect("valid"))
        );
    }
    let problem = post(&server, "/halve", &[], "0").await.problem();
    assert_eq!(
        problem,
        serde_json::json!({
            "title": "Not Found", "status": 404, "detail": "nothing to halve", "code": "404", "details": {"asked": 0},
        })
    );
    assert_eq!(post(&server, "/halve", &[("content-type", "text/csv")], "8").await.status.as_u16(), 415);
    serving.abort();
    Ok(())
}

#[tokio::test]
async fn responders_take_turns_and_subscribers_of_their_subject_get_nothing() -> Result<()> {
    let server = HttpServer::default();
    let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(&server, ">").await?);
    let mut responders = Vec::new();
    for _ in 0..3 {
        responders.push(Box::pin(Responder::<Bytes, Bytes>::listen(&server, "a").await?));
    }
    let mut answers = Vec::new();
    for _ in 0..6 {
        let answering = async {
            let turns = responders
                .iter_mut()
                .enumerate()
                .map(|(number, requests)| Box::pin(async move { (number, next(requests.as_mut()).await) }));
            let ((number, request), _, _) = futures_util::future::select_all(turns).await;
            let request = request.expect("one").expect("no error");
            let answer = Message::to(request.message.subject.clone(), Bytes::from(number.to_string()));
            request.acker.reply(Ok(answer)).await.expect("the requester waits");
        };
        let (answer, ()) = join(post(&server, "/a", &[], "x"), answering).await;
        answers.push(answer.body);
    }
    answers.sort();
    assert_eq!(answers, ["0", "0", "1", "1", "2", "2"]);
    assert!(is_pending(pin!(next(deliveries.as_mut()))).await);
    Ok(())
}

#[test]
fn a_queue_group_of_another_server_is_another_group() {
    let server = HttpServer::default();
    assert_eq!(server.instance(), server.clone().instance());
    assert_ne!(server.instance(), HttpServer::default().instance());
}
