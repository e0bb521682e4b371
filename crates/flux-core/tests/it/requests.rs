//! Asking and answering in values: responses, failures, and requests nobody can read.

use std::future::Future;
use std::pin::pin;

use flux_core::{
    Bytes, Error, ErrorKind, Failure, Message, Outcome, Publisher as _, RemoteError, Reply as _, Requester, Responder,
    Result, header, next, subject,
};
use futures_util::future::{Either, select};

use crate::Numbers;
use crate::number::{LARGEST, LONGEST, numbers};

/// Runs `asking` while `serving` serves.
async fn during<T>(serving: impl Future<Output = Result<()>>, asking: impl Future<Output = T>) -> T {
    match select(pin!(serving), pin!(asking)).await {
        Either::Left((ended, _)) => panic!("the responder ended: {ended:?}"),
        Either::Right((answer, _)) => answer,
    }
}

async fn halve(request: Message<u32>) -> Result<u32, Failure> {
    match request.payload {
        0 => Err(RemoteError::new("404", "nothing to halve").with_details("null").into()),
        1 => Err(Failure::permanent("1 is odd")),
        2 => Ok(LARGEST + 1),
        n => Ok(n / 2),
    }
}

async fn ask(bus: &Numbers, n: u32) -> Result<u32> {
    during(Responder::<u32, u32>::serve(bus, "halve", halve), bus.request("halve", n)).await
}

#[tokio::test]
async fn a_request_is_answered() -> Result<()> {
    let (wire, bus) = numbers();
    assert_eq!(ask(&bus, 8).await?, 4);
    assert_eq!(wire.only().headers.get(&header::CONTENT_TYPE), Some("text/x-decimal"));
    Ok(())
}

#[tokio::test]
async fn without_a_responder_the_requester_is_told_at_once() {
    let (_, bus) = numbers();
    let answer: Result<u32> = bus.request("halve", 8_u32).await;
    let error = answer.expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::NoResponder);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_failure_comes_back_as_the_error_it_was() {
    let (_, bus) = numbers();
    let error = ask(&bus, 0).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Remote);
    let expected = RemoteError::new("404", "nothing to halve").with_details("null");
    assert_eq!(error.remote(), Some(&expected));
    assert!(!error.is_retryable());

    let error = ask(&bus, 1).await.expect_err("failed");
    assert_eq!(error.remote(), Some(&RemoteError::new(RemoteError::INTERNAL, "1 is odd")));
    assert!(error.is_retryable(), "500 is the server's own fault");
}

#[tokio::test]
async fn a_response_that_does_not_encode_is_an_answer_too() {
    let (_, bus) = numbers();
    let error = ask(&bus, 2).await.expect_err("over a thousand");
    assert_eq!(error.remote().map(RemoteError::code), Some(RemoteError::INTERNAL));
}

#[tokio::test]
async fn a_request_that_does_not_decode_is_answered_at_once_and_serving_goes_on() {
    let (wire, bus) = numbers();
    let asking = async {
        let bad = wire.ask(Message::to(subject!("halve"), Bytes::from_static(b"eight"))).await;
        let good: Result<u32> = bus.request("halve", 6_u32).await;
        (bad, good)
    };
    let (bad, good) = during(Responder::<u32, u32>::serve(&bus, "halve", halve), asking).await;
    let error = bad.expect_err("not a number");
    assert_eq!(error.remote().map(RemoteError::code), Some(RemoteError::UNDECODABLE));
    assert!(!error.is_retryable());
    assert_eq!(good.ok(), Some(3));
}

#[tokio::test]
async fn a_request_of_another_content_type_is_answered_as_such() {
    let (wire, bus) = numbers();
    let request = Message::to(subject!("halve"), Bytes::from_static(b"8"));
    let request = request.with_header(header::CONTENT_TYPE, "text/csv").expect("valid");
    let answer = during(Responder::<u32, u32>::serve(&bus, "halve", halve), wire.ask(request)).await;
    assert_eq!(answer.expect_err("refused").remote().map(RemoteError::code), Some(RemoteError::CONTENT_TYPE));
}

#[tokio::test]
async fn an_oversize_request_is_answered_as_such() {
    for (zeros, code) in [(LONGEST, None), (LONGEST + 1, Some(RemoteError::TOO_LARGE))] {
        let (wire, bus) = numbers();
        let request = Message::to(subject!("halve"), Bytes::from(format!("{:0>zeros$}", 8)));
        let answer = during(Responder::<u32, u32>::serve(&bus, "halve", halve), wire.ask(request)).await;
        let error = answer.as_ref().err();
        assert_eq!(error.and_then(Error::remote).map(RemoteError::code), code, "{zeros} bytes: {answer:?}");
        assert!(error.is_none_or(|error| !error.is_retryable()));
    }
    assert_eq!(RemoteError::TOO_LARGE, "413", "as in HTTP");
}

#[tokio::test]
async fn a_codec_that_panics_at_a_request_or_a_response_has_failed() -> Result<()> {
    let (wire, bus) = numbers();
    let request = Message::to(subject!("halve"), Bytes::new());
    let answer = during(Responder::<u32, u32>::serve(&bus, "halve", halve), wire.ask(request)).await;
    assert_eq!(answer.expect_err("no number").remote().map(RemoteError::code), Some(RemoteError::UNDECODABLE));

    let requests = Responder::<Bytes, Bytes>::listen(&wire, "halve").await?;
    let answering = async {
        let request = next(Box::pin(requests).as_mut()).await.expect("a request")?;
        request.acker.reply(Ok(Message::to(subject!("halve"), Bytes::new()))).await
    };
    let asking = Requester::<u32, u32>::request(&bus, "halve", 8);
    let (answer, replied) = futures_util::future::join(asking, answering).await;
    replied?;
    let error = answer.expect_err("no number");
    assert_eq!((error.kind(), error.subject()), (ErrorKind::Codec, Some(&subject!("halve"))));
    assert!(error.to_string().contains("a number has digits"), "{error}");
    Ok(())
}

#[tokio::test]
async fn whoever_takes_an_undecodable_request_answers_it_by_settling() -> Result<()> {
    for outcome in [Outcome::Ack, Outcome::Nak, Outcome::term("no number")] {
        let (wire, bus) = numbers();
        let requests = Responder::<u32, u32>::listen(&bus, "halve").await?;
        let answering = async {
            let mut requests = Box::pin(requests);
            let request = next(requests.as_mut()).await.expect("a request");
            let mut error = request.expect_err("not a number");
            let undecodable = error.take_undecodable().expect("holds the request");
            assert_eq!(undecodable.message.payload, "eight");
            undecodable.settle(outcome).await
        };
        let asking = wire.ask(Message::to(subject!("halve"), Bytes::from_static(b"eight")));
        let (answer, settled) = futures_util::future::join(asking, answering).await;
        settled?;
        let error = answer.expect_err("refused");
        assert_eq!(error.remote().map(RemoteError::code), Some(RemoteError::UNDECODABLE));
    }
    Ok(())
}

#[tokio::test]
async fn a_response_that_does_not_decode_names_the_request() -> Result<()> {
    let (wire, bus) = numbers();
    let requests = Responder::<Bytes, Bytes>::listen(&wire, "halve").await?;
    let answering = async {
        let mut requests = Box::pin(requests);
        let request = next(requests.as_mut()).await.expect("a request")?;
        request.acker.reply(Ok(Message::to(subject!("halve"), Bytes::from_static(b"four")))).await
    };
    let asking = async { Requester::<u32, u32>::request(&bus, "halve", 8).await };
    let (answer, replied) = futures_util::future::join(asking, answering).await;
    replied?;
    let error: Error = answer.expect_err("not a number");
    assert_eq!((error.kind(), error.subject()), (ErrorKind::Codec, Some(&subject!("halve"))));
    wire.publish("halve", Bytes::new()).await?;
    Ok(())
}

#[tokio::test]
async fn a_reply_that_is_dropped_tells_the_requester() -> Result<()> {
    let (_, bus) = numbers();
    let requests = Responder::<u32, u32>::listen(&bus, "halve").await?;
    let dropping = async { drop(next(Box::pin(requests).as_mut()).await) };
    let asking = async { Requester::<u32, u32>::request(&bus, "halve", 8).await };
    let (answer, ()) = futures_util::future::join(asking, dropping).await;
    assert_eq!(answer.expect_err("dropped").kind(), ErrorKind::NoResponder);
    Ok(())
}
