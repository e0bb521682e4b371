//! A server that goes away without a warning and comes back: what waits for it, what fails, and what survives.

use std::collections::BTreeSet;
use std::time::Duration;

use flux_core::{
    Error, ErrorKind, Outcome, Publisher as _, QueueSubscriber as _, Requester as _, Responder as _, Settle as _,
};
use tokio::sync::watch;
use tokio::time::timeout;

use super::requests::double;
use super::{Deliveries, beside, ensure, join, publish, subscribe, take};
use crate::{Fixture, Flaw, Redelivers, Requests, Restarts, Verdict, WhileAway};

const SUBJECT: &str = "conformance.one";

/// Who returns later than this waits for the server.
const WAITS: Duration = Duration::from_secs(1);

/// How long to look for a message before the next one is published.
const LOOK: Duration = Duration::from_millis(200);

/// Takes one delivery and settles it with success.
async fn handle<F: Fixture>(deliveries: &mut Deliveries<F>) -> Result<u64, Flaw> {
    let taken = take::<F>(deliveries).await?;
    let number = F::number(&taken.message.payload);
    // What cannot be settled because the server is away comes again.
    let _ = taken.acker.settle(Outcome::Ack).await;
    Ok(number)
}

/// Publishes until something newer arrives than was published before.
async fn flows<F: Fixture>(bus: &F::Bus, deliveries: &mut Deliveries<F>, from: u64) -> Verdict {
    for number in from.. {
        if let Err(error) = publish::<F>(bus, SUBJECT, number).await {
            return Err(Flaw::new(format!("publishing fails although the server is back: {error}")));
        }
        while let Ok(found) = timeout(LOOK, handle::<F>(deliveries)).await {
            if found? >= from {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn temporary(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut)
}

/// While the server is away, publishing fails, waits or buffers, as the fixture says; it works again afterwards.
///
/// # Errors
/// What is wrong with the transport.
pub async fn publishes_as_stated_while_the_server_is_away<F: Restarts>() -> Verdict {
    let (server, bus) = F::serve().await?;
    let mut deliveries = subscribe::<F>(&bus, SUBJECT).await?;
    flows::<F>(&bus, &mut deliveries, 1).await?;
    F::stop_server(&server).await?;
    let publisher = bus.clone();
    let mut publishing = beside(async move { publisher.publish(SUBJECT, F::payload(1_000)).await.map(drop) });
    let at_once = match timeout(WAITS, &mut publishing).await {
        Ok(joined) => Some(joined.map_err(|error| Flaw::new(format!("a task ended: {error}")))?),
        Err(_) => None,
    };
    match (F::WHILE_AWAY, &at_once) {
        (WhileAway::Buffers, Some(Ok(()))) | (WhileAway::Waits, None) => {}
        (WhileAway::Fails, Some(Err(error))) if temporary(error) => {}
        (stated, found) => {
            return Err(Flaw::new(format!("publishing is to be {stated:?}, and after {WAITS:?} was {found:?}")));
        }
    }
    F::start_server(&server).await?;
    // A receipt that did not wait for the server promises nothing.
    if at_once.is_none() && join(publishing).await?.is_ok() {
        while handle::<F>(&mut deliveries).await? != 1_000 {}
    }
    flows::<F>(&bus, &mut deliveries, 2_000).await
}

/// A subscription goes on when the server is back, without a word of its owner.
///
/// # Errors
/// What is wrong with the transport.
pub async fn subscriptions_survive_a_restart<F: Restarts>() -> Verdict {
    let (server, bus) = F::serve().await?;
    let mut deliveries = subscribe::<F>(&bus, SUBJECT).await?;
    for restart in 1..=2 {
        flows::<F>(&bus, &mut deliveries, restart * 1_000).await?;
        F::stop_server(&server).await?;
        F::start_server(&server).await?;
    }
    flows::<F>(&bus, &mut deliveries, 5_000).await
}

/// What was published with a receipt is delivered, whether it was before, while or after the server was away.
///
/// # Errors
/// What is wrong with the transport.
pub async fn loses_nothing_that_was_stored<F: Restarts + Redelivers>() -> Verdict {
    const HANDLED: u64 = 10;
    let (server, bus) = F::serve().await?;
    let mut deliveries: Deliveries<F> = Box::pin(bus.subscribe_group(SUBJECT, "group").await?);
    let (tell, mut told) = watch::channel(BTreeSet::new());
    let publisher = bus.clone();
    let publishing = beside(async move {
        for number in 1..=60 {
            if publisher.publish(SUBJECT, F::payload(number)).await.is_ok() {
                tell.send_modify(|stored: &mut BTreeSet<u64>| {
                    stored.insert(number);
                });
            }
        }
    });
    for _ in 0..HANDLED {
        handle::<F>(&mut deliveries).await?;
    }
    told.wait_for(|stored| stored.len() >= 20).await.map_err(|_| Flaw::new("less than 20 of 60 were stored"))?;
    F::stop_server(&server).await?;
    F::start_server(&server).await?;
    join(publishing).await?;
    publish::<F>(&bus, SUBJECT, 61).await?;
    let mut missing = told.borrow().clone();
    missing.insert(61);
    // Those came before; should they come again, they are not missing either.
    missing.retain(|number| *number > HANDLED);
    while !missing.is_empty() {
        let Ok(found) = timeout(F::ack_wait() * 3 + WAITS, handle::<F>(&mut deliveries)).await else {
            return Err(Flaw::new(format!("stored and never delivered: {missing:?}")));
        };
        missing.remove(&found?);
    }
    Ok(())
}

/// A request fails while the server is away, and works again afterwards with the responder that was there before.
///
/// # Errors
/// What is wrong with the transport.
pub async fn requests_fail_while_the_server_is_away<F: Restarts + Requests>() -> Verdict {
    const ASK: &str = "conformance.ask";
    let (server, bus) = F::serve().await?;
    let responder = bus.clone();
    let serving = beside(async move { responder.serve(ASK, double::<F>).await });
    let ask = async |number| bus.request(ASK, F::payload(number)).await.map(|answer: F::Payload| F::number(&answer));
    while ask(1).await.is_err() {
        tokio::time::sleep(LOOK / 10).await;
    }
    F::stop_server(&server).await?;
    match ask(2).await {
        Err(error) if temporary(&error) => {}
        other => return Err(Flaw::new(format!("the server was away, and the result was {other:?}"))),
    }
    F::start_server(&server).await?;
    loop {
        match ask(21).await {
            Ok(42) => break,
            Ok(other) => return Err(Flaw::new(format!("{other} was the answer to 21"))),
            // The responder may be back later than the requester.
            Err(error) if temporary(&error) || error.kind() == ErrorKind::NoResponder => {
                tokio::time::sleep(LOOK / 10).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(!serving.is_finished(), "the responder ended");
    serving.abort();
    Ok(())
}
