//! Request and reply: every request ends with an answer or an error, at once where it can.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flux_core::{
    Delivery, Error, ErrorKind, Failure, Message, RemoteError, Reply as _, Requester as _, Responder as _, next,
};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use super::{beside, ensure, join};
use crate::{Flaw, Requests, Verdict};

/// What takes longer than this was not at once.
const AT_ONCE: Duration = Duration::from_secs(2);

/// How long to wait before asking again; never zero, or a paused clock would stand still.
const AGAIN: Duration = Duration::from_millis(5);

async fn ask<F: Requests>(bus: &F::Bus, number: u64) -> Result<u64, Error> {
    let answer: F::Payload = bus.request("conformance.ask", F::payload(number)).await?;
    Ok(F::number(&answer))
}

/// Answers with twice the number; zero is an error with a code.
pub(super) async fn double<F: Requests>(request: Message<F::Payload>) -> Result<F::Payload, Failure> {
    match F::number(&request.payload) {
        0 => Err(Failure::permanent(RemoteError::new("404", "nothing to double"))),
        number => Ok(F::payload(number * 2)),
    }
}

/// Waits until somebody answers.
async fn live<F: Requests>(bus: &F::Bus) -> Result<(), Flaw> {
    loop {
        match ask::<F>(bus, 1).await {
            Err(error) if error.kind() == ErrorKind::NoResponder => tokio::time::sleep(AGAIN).await,
            answer => return answer.map(drop).map_err(Flaw::from),
        }
    }
}

/// A request gets its response.
///
/// # Errors
/// What is wrong with the transport.
pub async fn answers<F: Requests>() -> Verdict {
    let bus = F::open().await?;
    let responder = bus.clone();
    let serving = beside(async move { responder.serve("conformance.ask", double::<F>).await });
    live::<F>(&bus).await?;
    let answer = ask::<F>(&bus, 21).await?;
    ensure!(answer == 42, "{answer} was the answer to 21");
    serving.abort();
    Ok(())
}

/// Without a responder there is an error at once, not after the timeout.
///
/// # Errors
/// What is wrong with the transport.
pub async fn fails_at_once_without_a_responder<F: Requests>() -> Verdict {
    let bus = F::open().await?;
    let started = Instant::now();
    let refused = ask::<F>(&bus, 1).await.err().map(|error| error.kind());
    ensure!(refused == Some(ErrorKind::NoResponder), "nobody was there, and the result was {refused:?}");
    ensure!(started.elapsed() < AT_ONCE, "it took {:?} to find that out", started.elapsed());
    Ok(())
}

/// An error of the responder is an error of the request, with its code and text.
///
/// # Errors
/// What is wrong with the transport.
pub async fn brings_errors_back_as_errors<F: Requests>() -> Verdict {
    let bus = F::open().await?;
    let responder = bus.clone();
    let serving = beside(async move { responder.serve("conformance.ask", double::<F>).await });
    live::<F>(&bus).await?;
    let error = ask::<F>(&bus, 0).await.err().ok_or_else(|| Flaw::new("an error came back as a success"))?;
    ensure!(error.kind() == ErrorKind::Remote, "the error was of kind {:?}", error.kind());
    let remote = error.remote().map(|remote| (remote.code(), remote.message()));
    ensure!(remote == Some(("404", "nothing to double")), "code and text came back as {remote:?}");
    serving.abort();
    Ok(())
}

/// A reply that is dropped is an error at once.
///
/// # Errors
/// What is wrong with the transport.
pub async fn fails_when_the_reply_is_dropped<F: Requests>() -> Verdict {
    let bus = F::open().await?;
    let mut requests = Box::pin(bus.listen("conformance.ask").await?);
    let asking = bus.clone();
    let asked = beside(async move { ask::<F>(&asking, 1).await.map_err(|error| error.kind()) });
    let request = next(requests.as_mut()).await;
    let started = Instant::now();
    drop(request);
    let result = join(asked).await?;
    ensure!(matches!(result, Err(ErrorKind::Remote | ErrorKind::NoResponder)), "the result was {result:?}");
    ensure!(started.elapsed() < AT_ONCE, "it took {:?} to find that out", started.elapsed());
    Ok(())
}

/// Requests at the same time get their own answers, in whatever order these are given.
///
/// # Errors
/// What is wrong with the transport.
pub async fn does_not_mix_answers_up<F: Requests>() -> Verdict {
    let bus = F::open().await?;
    let mut requests = Box::pin(bus.listen("conformance.ask").await?);
    let asked: Vec<_> = (1..=32)
        .map(|number| {
            let bus = bus.clone();
            beside(async move { (number, ask::<F>(&bus, number).await) })
        })
        .collect();
    let mut taken = Vec::new();
    while taken.len() < 32 {
        let request = next(requests.as_mut()).await.ok_or_else(|| Flaw::new("the requests ended"))?;
        taken.push(request?);
    }
    for request in taken.into_iter().rev() {
        let Delivery { message, acker, .. } = request;
        let answer = F::payload(F::number(&message.payload) * 2);
        acker.reply(Ok(message.map(|_| answer))).await?;
    }
    for asked in asked {
        let (number, answer) = join(asked).await?;
        let answer = answer?;
        ensure!(answer == number * 2, "{number} got the answer {answer}");
    }
    Ok(())
}

/// `serve` calls its handler for one request at a time, and for every one, also where requests are handled as they arrive.
///
/// # Errors
/// What is wrong with the transport.
pub async fn serves_one_request_at_a_time<F: Requests>() -> Verdict {
    let bus = F::open().await?;
    let (responder, inside, most) = (bus.clone(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let handler = move |request: Message<F::Payload>| {
        let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
        async move {
            most.fetch_max(inside.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            // The others get every opportunity to come in as well.
            for _ in 0..20 {
                yield_now().await;
            }
            inside.fetch_sub(1, Ordering::Relaxed);
            double::<F>(request).await
        }
    };
    let serving = beside(async move { responder.serve("conformance.ask", handler).await });
    live::<F>(&bus).await?;
    let asked: Vec<_> = (1..=16)
        .map(|number| {
            let bus = bus.clone();
            beside(async move { (number, ask::<F>(&bus, number).await) })
        })
        .collect();
    for asked in asked {
        let (number, answer) = join(asked).await?;
        let answer = answer?;
        ensure!(answer == number * 2, "{number} got the answer {answer}");
    }
    let most = seen.load(Ordering::Relaxed);
    ensure!(most == 1, "{most} requests were handled at the same time");
    serving.abort();
    Ok(())
}

/// A handler is not cut short because its requester has gone away.
///
/// # Errors
/// What is wrong with the transport.
pub async fn goes_on_when_the_requester_has_gone<F: Requests>() -> Verdict {
    let bus = F::open().await?;
    let (called, mut calls) = mpsc::channel(64);
    let go = Arc::new(Semaphore::new(0));
    let (responder, let_go) = (bus.clone(), Arc::clone(&go));
    let handler = move |request: Message<F::Payload>| {
        let (called, go) = (called.clone(), Arc::clone(&let_go));
        async move {
            let number = F::number(&request.payload);
            if number == 7 {
                let _ = called.send("begun").await;
                let _permit = go.acquire().await;
                let _ = called.send("ended").await;
            }
            double::<F>(request).await
        }
    };
    let serving = beside(async move { responder.serve("conformance.ask", handler).await });
    live::<F>(&bus).await?;
    let asking = bus.clone();
    let asked = beside(async move { ask::<F>(&asking, 7).await });
    ensure!(calls.recv().await == Some("begun"), "the handler was not called");
    asked.abort();
    let _ = asked.await;
    go.add_permits(1);
    let ended = timeout(AT_ONCE, calls.recv()).await;
    ensure!(ended == Ok(Some("ended")), "the handler did not come to its end: {ended:?}");
    let answer = ask::<F>(&bus, 21).await?;
    ensure!(answer == 42, "{answer} was the answer to 21");
    serving.abort();
    Ok(())
}

/// A responder that was dropped is no responder.
///
/// # Errors
/// What is wrong with the transport.
pub async fn withdraws_a_responder_that_is_dropped<F: Requests>() -> Verdict {
    let bus = F::open().await?;
    drop(bus.listen("conformance.ask").await?);
    let mut crossed = false;
    loop {
        // Where the withdrawal crosses a wire, a request may meet it there: refused, or sent to nobody. The next one may not.
        match ask::<F>(&bus, 1).await.map_err(|error| error.kind()) {
            Err(ErrorKind::NoResponder) => return Ok(()),
            Err(ErrorKind::Remote) => tokio::time::sleep(AGAIN).await,
            Err(ErrorKind::TimedOut) if !crossed => crossed = true,
            other => return Err(Flaw::new(format!("nobody was left, and the result was {other:?}"))),
        }
    }
}
