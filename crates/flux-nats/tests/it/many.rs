//! One request, several answers.

use std::pin::pin;
use std::time::{Duration, Instant};

use flux_codec::Json;
use flux_core::{ErrorKind, Message, RemoteError, Reply, Responder, Result, next};
use flux_nats::{Many, Nats, NatsConfig, NatsRequests, RequestMany};
use flux_nats_server::Server;

use super::{connect, server, text, within};

const LONG: Duration = Duration::from_secs(15);

async fn responder(server: &Server, group: &'static str) -> Result<NatsRequests> {
    Nats::connect(server.url(), NatsConfig::new().with_responder_group(group)).await?.listen("many").await
}

#[tokio::test]
async fn everyone_is_heard_until_it_is_enough_or_time_runs_out() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?.typed(Json);
    for group in ["a", "b", "c"] {
        let mut requests = responder(&server, group).await?;
        tokio::spawn(async move {
            while let Some(Ok(request)) = next(pin!(&mut requests)).await {
                assert!(request.message.time_left().is_some());
                let answer = if group == "c" {
                    Err(RemoteError::new("7", "not today"))
                } else {
                    Ok(Message::to(request.message.subject, text("1")))
                };
                let _ = request.acker.reply(answer).await;
            }
        });
    }
    let started = Instant::now();
    let enough = bus.request_many(Message::new("many", 0)?, Many::gather(LONG).with_max(3)).await?;
    assert_eq!(count(enough).await, (2, 1));
    let stalled = Many::gather(LONG).with_stall(Duration::from_millis(300));
    assert_eq!(count(bus.request_many(Message::new("many", 0)?, stalled).await?).await, (2, 1));
    assert!(started.elapsed() < LONG, "the stall ends it long before the total");
    let total = Many::gather(Duration::from_millis(300));
    assert_eq!(count(bus.request_many(Message::new("many", 0)?, total).await?).await, (2, 1));
    Ok(())
}

/// How many answers and how many errors a stream brings before it ends.
async fn count(answers: impl futures_util::Stream<Item = Result<Message<u64>>>) -> (usize, usize) {
    let mut answers = pin!(answers);
    let mut found = (0, 0);
    while let Some(answer) = within(next(answers.as_mut())).await {
        match answer {
            Ok(answer) => found.0 += usize::try_from(answer.payload).expect("one"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Remote);
                found.1 += 1;
            }
        }
    }
    found
}

#[tokio::test]
async fn a_list_ends_with_its_mark_and_one_cut_short_is_an_error() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let mut requests = responder(&server, "q").await?;
    let serving = tokio::spawn(async move {
        for whole in [true, false, false, false, false] {
            let request = next(pin!(&mut requests)).await.expect("it lives")?;
            for _ in 0..100 {
                request.acker.send(Message::to(request.message.subject.clone(), text("x"))).await?;
            }
            let empty = Message::to(request.message.subject.clone(), text(""));
            assert_eq!(request.acker.send(empty).await.expect_err("the mark").kind(), ErrorKind::InvalidInput);
            if whole {
                request.acker.finish().await?;
            } else if request.message.payload == "drop" {
                drop(request);
            } else {
                std::mem::forget(request);
            }
        }
        Result::Ok(requests)
    });
    let ask = async |payload, many: Many| -> Result<(usize, Option<ErrorKind>)> {
        let request = Message::new("many", text(payload))?;
        let mut answers = bus.request_many(request, many).await?;
        let mut taken = 0;
        while let Some(answer) = within(next(pin!(&mut answers))).await {
            match answer {
                Ok(_) => taken += 1,
                Err(error) => {
                    assert!(next(pin!(&mut answers)).await.is_none(), "an error is the last item");
                    return Ok((taken, Some(error.kind())));
                }
            }
        }
        Ok((taken, None))
    };
    let short = Duration::from_millis(300);
    assert_eq!(ask("whole", Many::stream(LONG)).await?, (100, None));
    assert_eq!(ask("drop", Many::stream(LONG)).await?, (100, Some(ErrorKind::Remote)));
    let started = Instant::now();
    assert_eq!(ask("silent", Many::stream(LONG).with_stall(short)).await?, (100, Some(ErrorKind::TimedOut)));
    assert_eq!(ask("silent", Many::stream(short)).await?, (100, Some(ErrorKind::TimedOut)));
    assert_eq!(ask("silent", Many::stream(short).with_stall(LONG)).await?, (100, Some(ErrorKind::TimedOut)));
    assert!(started.elapsed() < LONG, "the total time counts, however long a pause may be");
    within(serving).await.expect("no panic").map(drop)
}

#[tokio::test]
async fn nobody_there_is_told_at_once() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let started = Instant::now();
    let mut answers = bus.request_many(Message::new("many", text("x"))?, Many::gather(LONG)).await?;
    let error = within(next(pin!(&mut answers))).await.expect("an item").expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::NoResponder);
    assert!(next(pin!(&mut answers)).await.is_none());
    assert!(started.elapsed() < Duration::from_secs(5));
    Ok(())
}
