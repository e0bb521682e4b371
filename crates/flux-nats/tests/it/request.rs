//! Asking and answering beyond the suite: deadlines, errors on the wire, and responders that leave.

use std::pin::pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use flux_codec::Json;
use flux_core::telemetry::Relation;
use flux_core::{
    Delivery, ErrorKind, Message, Publisher, RemoteError, Reply, Requester, Responder, Result, Telemetry, header, next,
};
use flux_nats::{Nats, NatsConfig};
use flux_nats_server::Server;

use super::{connect, server, text, within};

#[tokio::test]
async fn the_handler_sees_what_is_left_of_the_time() -> Result<()> {
    let server = server().await?;
    let config = NatsConfig::new().with_request_timeout(Duration::from_secs(5));
    let quiet = Nats::connect(server.url(), config.clone()).await?;
    let telling = Nats::with_config(quiet.client().clone(), config.with_timeout_as_deadline());
    let mut requests = connect(&server).await?.listen("time").await?;
    let plain = Message::new("time", text("x"))?;
    let own = plain.clone().with_header(header::DEADLINE, in_millis(4_500))?;
    for (asking, request) in [(telling, plain), (quiet, own)] {
        let asked = tokio::spawn(async move { Requester::<Bytes, Bytes>::ask(&asking, request).await.map(drop) });
        let Delivery { message, acker, .. } = within(next(pin!(&mut requests))).await.expect("it lives")?;
        let left = message.time_left().expect("it says so");
        assert!(left <= Duration::from_secs(5) && left > Duration::from_secs(3), "{left:?}");
        acker.reply(Ok(Message::to(message.subject, text("done")))).await?;
        within(asked).await.expect("no panic")?;
    }
    Ok(())
}

/// A deadline, as it travels.
fn in_millis(millis: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from((now + Duration::from_millis(millis)).as_millis()).expect("this millennium")
}

#[tokio::test]
async fn a_request_waits_no_longer_than_its_own_deadline() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let _silent = bus.listen("time").await?;
    let started = Instant::now();
    let request = Message::new("time", text("x"))?.with_header(header::DEADLINE, in_millis(300))?;
    let error = Requester::<Bytes, Bytes>::ask(&bus, request).await.expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(5), "it took {:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn an_error_reply_is_one_for_every_client() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let mut requests = bus.listen("fail").await?;
    let answering = tokio::spawn(async move {
        for _ in 0..2 {
            let request = next(pin!(&mut requests)).await.expect("it lives")?;
            let remote = RemoteError::new("unknown_carrier", "no such\ncarrier").with_details(text("{\"id\":7}"));
            request.acker.reply(Err(remote)).await?;
        }
        Result::Ok(requests)
    });
    let native = bus.client().request("fail", "x".into()).await.expect("it is answered");
    let headers = native.headers.expect("it has some");
    let get = |name: &str| headers.get(name).map(|value| value.as_str().to_owned());
    assert_eq!(get("Nats-Service-Error").as_deref(), Some("no such carrier"));
    assert_eq!(get("Nats-Service-Error-Code").as_deref(), Some("unknown_carrier"));
    assert_eq!(get("X-Error-Code").as_deref(), Some("unknown_carrier"));
    assert_eq!(get("X-Status").as_deref(), Some("error"));
    assert_eq!(native.payload, text("{\"id\":7}"));

    let error = bus.request("fail", text("x")).await.map(|_: Bytes| ()).expect_err("an error is no success");
    let remote = error.remote().expect("it says what");
    assert_eq!((remote.code(), remote.message()), ("unknown_carrier", "no such carrier"));
    assert_eq!(remote.details(), Some(&text("{\"id\":7}")));
    within(answering).await.expect("no panic").map(drop)
}

#[tokio::test]
async fn foreign_ways_to_say_error_are_understood() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let mut native = bus.client().subscribe("foreign").await.expect("connected");
    let client = bus.client().clone();
    let cases = [
        (vec![("Nats-Service-Error", "bad"), ("Nats-Service-Error-Code", "400")], Some(("400", "bad"))),
        (vec![("Nats-Service-Error-Code", "418")], Some(("418", ""))),
        (vec![("X-Status", "error"), ("X-Error-Code", "E7"), ("X-Error", "why")], Some(("E7", "why"))),
        (vec![("X-Status", "fail")], Some(("500", ""))),
        (vec![("X-Status", "success")], None),
        (vec![("X-Status", "partial")], None),
    ];
    let answers: Vec<_> = cases.iter().map(|(headers, _)| headers.clone()).collect();
    let answering = tokio::spawn(async move {
        for answer in answers {
            let request = next(pin!(&mut native)).await.expect("it lives");
            let headers = answer.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let to = request.reply.expect("a request");
            client.publish_with_headers(to, headers.collect(), "x".into()).await.expect("connected");
        }
    });
    for (headers, expected) in cases {
        let answer = bus.request("foreign", text("x")).await.map(|_: Bytes| ());
        let found = answer.as_ref().err().and_then(|error| error.remote());
        assert_eq!(found.map(|remote| (remote.code(), remote.message())), expected, "{headers:?}");
    }
    within(answering).await.expect("no panic");
    Ok(())
}

#[tokio::test]
async fn requests_that_a_leaving_responder_did_not_take_are_refused_at_once() -> Result<()> {
    let server = server().await?;
    let (asking, answering) = (connect(&server).await?, connect(&server).await?);
    let requests = answering.listen("leave").await?;
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let asking = asking.clone();
            tokio::spawn(async move { asking.request("leave", text("x")).await.map(|_: Bytes| ()) })
        })
        .collect();
    // The requests are at the responder's client once a flush of each side has come back.
    tokio::task::yield_now().await;
    asking.flush().await?;
    answering.flush().await?;
    let started = Instant::now();
    drop(requests);
    for asked in asked {
        let error = within(asked).await.expect("no panic").expect_err("nobody took it");
        let code = error.remote().map(RemoteError::code);
        assert!(code == Some("503") || error.kind() == ErrorKind::NoResponder, "{error:?}");
        assert!(error.is_retryable());
    }
    assert!(started.elapsed() < Duration::from_secs(5), "it took {:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_an_error_for_both() -> Result<()> {
    let server = Server::builder().max_payload(1000).start().await?;
    let bus = connect(&server).await?;
    let mut requests = bus.listen("large").await?;
    let asking = bus.clone();
    let asked = tokio::spawn(async move { asking.request("large", text("x")).await.map(|_: Bytes| ()) });
    let request = within(next(pin!(&mut requests))).await.expect("it lives")?;
    let answer = Message::to(request.message.subject, Bytes::from(vec![0; 2000]));
    assert_eq!(request.acker.reply(Ok(answer)).await.expect_err("2000 over 1000").kind(), ErrorKind::TooLarge);
    let error = within(asked).await.expect("no panic").expect_err("there is no answer");
    assert_eq!(error.remote().map(RemoteError::code), Some("500"));
    Ok(())
}

#[tokio::test]
async fn what_does_not_decode_is_answered_at_once() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let numbers = bus.clone().typed(Json);
    let serving =
        tokio::spawn(
            async move { numbers.serve("double", async |m: Message<u64>| Result::<u64>::Ok(m.payload * 2)).await },
        );
    let answer = within(async {
        loop {
            match bus.request("double", text("not json")).await.map(|_: Bytes| ()) {
                Err(error) if error.kind() == ErrorKind::NoResponder => tokio::task::yield_now().await,
                answer => return answer,
            }
        }
    });
    let error = answer.await.expect_err("it does not decode");
    assert_eq!(error.remote().map(RemoteError::code), Some("400"));
    serving.abort();
    Ok(())
}

#[tokio::test]
async fn a_message_to_a_responder_needs_no_answer() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let mut requests = bus.listen("tell").await?;
    bus.publish("tell", text("x")).await?;
    let Delivery { message, acker, .. } = within(next(pin!(&mut requests))).await.expect("it lives")?;
    assert_eq!(message.time_left(), None);
    acker.reply(Ok(message)).await
}

#[tokio::test]
async fn a_small_request_has_no_header() -> Result<()> {
    let server = server().await?;
    let (bare, answering) = (connect(&server).await?.typed(Json), connect(&server).await?);
    let mut requests = answering.listen("bare").await?;
    let asked = tokio::spawn(async move { bare.request("bare", 1).await.map(|answer: u8| answer) });
    let request = within(next(pin!(&mut requests))).await.expect("it lives")?;
    assert!(request.message.headers.is_empty(), "{:?}", request.message.headers);
    request.acker.reply(Ok(Message::to(request.message.subject, text("2")))).await?;
    assert_eq!(within(asked).await.expect("no panic")?, 2);

    // A deadline of the configuration's is one header, and no more.
    let telling = Nats::with_config(answering.client().clone(), NatsConfig::new().with_timeout_as_deadline());
    let asked = tokio::spawn(async move { telling.typed(Json).request("bare", 1).await.map(|answer: u8| answer) });
    let request = within(next(pin!(&mut requests))).await.expect("it lives")?;
    assert!(request.message.headers.contains(&header::DEADLINE));
    assert_eq!(request.message.headers.len(), 1, "{:?}", request.message.headers);
    request.acker.reply(Ok(Message::to(request.message.subject, text("2")))).await?;
    assert_eq!(within(asked).await.expect("no panic")?, 2);
    Ok(())
}

#[tokio::test]
async fn what_a_handler_asks_has_the_deadline_of_what_it_was_asked() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?.typed(Json);
    let mut requests = bus.wire().listen("inner").await?;
    let outer = Message::new("outer", 1)?.with_header(header::DEADLINE, in_millis(5_000))?;
    let deadline = outer.deadline();
    let telemetry = Telemetry::new("nats");
    let (scope, _processing) = telemetry.process(&outer.subject, &outer.headers, Relation::Child);
    let inner = bus.clone();
    let asked = tokio::spawn(scope.run(async move { inner.request("inner", 2).await.map(|answer: u8| answer) }));
    let request = within(next(pin!(&mut requests))).await.expect("it lives")?;
    assert_eq!(request.message.deadline(), deadline);
    request.acker.reply(Ok(Message::to(request.message.subject, text("3")))).await?;
    assert_eq!(within(asked).await.expect("no panic")?, 3);
    Ok(())
}
