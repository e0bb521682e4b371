//! What transports do on which the outcome of a delivery is the answer to its publisher.

use std::time::{Duration, Instant};

use flux_core::{Delivery, Outcome, Publisher as _, Settle as _};
use tokio::task::JoinHandle;

use super::{beside, ensure, join, subscribe, take};
use crate::{Fixture, Flaw, Verdict};

/// How soon an answer counts as given at once.
const AT_ONCE: Duration = Duration::from_secs(2);

fn publishing<F: Fixture>(bus: &F::Bus, number: u64) -> JoinHandle<flux_core::Result<()>> {
    let bus = bus.clone();
    beside(async move { bus.publish("conformance.one", F::payload(number)).await.map(drop) })
}

/// Publishing returns when the delivery was settled, and not before.
///
/// # Errors
/// What is wrong with the transport.
pub async fn tells_success_when_it_was_handled<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = subscribe::<F>(&bus, "conformance.one").await?;
    let first = publishing::<F>(&bus, 1);
    let taken = take::<F>(&mut deliveries).await?;
    // The second goes the whole way, so an answer to the first that did not wait would be there.
    let second = publishing::<F>(&bus, 2);
    take::<F>(&mut deliveries).await?.acker.settle(Outcome::Ack).await?;
    join(second).await??;
    ensure!(!first.is_finished(), "publishing returned before the message was handled");
    taken.acker.settle(Outcome::Ack).await?;
    join(first).await?.map_err(Flaw::from)
}

/// A failure is an error; it says whether another attempt can help, and when.
///
/// # Errors
/// What is wrong with the transport.
pub async fn tells_failure_and_when_to_try_again<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = subscribe::<F>(&bus, "conformance.one").await?;
    let delay = Duration::from_secs(3);
    for (outcome, again, after) in [
        (Outcome::Nak, true, None),
        (Outcome::NakAfter(delay), true, Some(delay)),
        (Outcome::term("never"), false, None),
    ] {
        let publishing = publishing::<F>(&bus, 1);
        let Delivery { acker, .. } = take::<F>(&mut deliveries).await?;
        acker.settle(outcome.clone()).await?;
        let error = join(publishing).await?.err();
        let told = error.as_ref().map(|error| (error.is_retryable(), error.retry_after()));
        ensure!(told == Some((again, after)), "{outcome:?} was told as {told:?}: {error:?}");
    }
    Ok(())
}

/// A delivery that is dropped is a failure at once.
///
/// # Errors
/// What is wrong with the transport.
pub async fn tells_at_once_when_the_delivery_is_dropped<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = subscribe::<F>(&bus, "conformance.one").await?;
    let publishing = publishing::<F>(&bus, 1);
    let taken = take::<F>(&mut deliveries).await?;
    let started = Instant::now();
    drop(taken);
    let again = join(publishing).await?.err().map(|error| error.is_retryable());
    ensure!(again == Some(true), "whether to try again was told as {again:?}");
    ensure!(started.elapsed() < AT_ONCE, "it took {:?} to tell that", started.elapsed());
    Ok(())
}

/// Of several subscribers one failed: that is a failure, and it is told when all have settled.
///
/// # Errors
/// What is wrong with the transport.
pub async fn tells_the_worst_of_several<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    for failing in 0..2 {
        let mut one = subscribe::<F>(&bus, "conformance.one").await?;
        let mut two = subscribe::<F>(&bus, "conformance.*").await?;
        let publishing = publishing::<F>(&bus, 1);
        for (number, deliveries) in [&mut one, &mut two].into_iter().enumerate() {
            let outcome = if number == failing { Outcome::Nak } else { Outcome::Ack };
            take::<F>(deliveries).await?.acker.settle(outcome).await?;
        }
        ensure!(join(publishing).await?.is_err(), "the failure of subscriber {failing} was not told");
    }
    Ok(())
}
