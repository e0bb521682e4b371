//! Fetching at the caller's own pace.

use std::time::Duration;

use flux_core::{Consumer as _, ErrorKind};
use tokio::time::Instant;

use super::{ensure, publish};
use crate::{Pull, Verdict};

const WAIT: Duration = Duration::from_millis(300);

/// A full batch is returned without waiting.
///
/// # Errors
/// What is wrong with the transport.
pub async fn fetches_what_is_there_at_once<F: Pull>() -> Verdict {
    let bus = F::open().await?;
    let consumer = F::consumer(&bus, "conformance.one").await?;
    for number in 0..5 {
        publish::<F>(&bus, "conformance.one", number).await?;
    }
    let started = Instant::now();
    let batch = consumer.fetch(3, Duration::from_secs(60)).await?;
    ensure!(batch.len() == 3, "{} came instead of 3", batch.len());
    ensure!(started.elapsed() < Duration::from_secs(30), "it waited although there was enough");
    for (number, taken) in (0..).zip(batch) {
        let taken = taken?;
        ensure!(F::number(&taken.message.payload) == number, "the batch is out of order");
        taken.ack().await?;
    }
    Ok(())
}

/// A batch that is not full is returned when its time is up.
///
/// # Errors
/// What is wrong with the transport.
pub async fn fetches_what_there_is_when_time_is_up<F: Pull>() -> Verdict {
    let bus = F::open().await?;
    let consumer = F::consumer(&bus, "conformance.one").await?;
    publish::<F>(&bus, "conformance.one", 1).await?;
    let started = Instant::now();
    let batch = consumer.fetch(10, WAIT).await?;
    ensure!(batch.len() == 1, "{} came instead of 1", batch.len());
    ensure!(started.elapsed() >= WAIT.mul_f64(0.9), "it gave up after {:?}", started.elapsed());
    Ok(())
}

/// An empty batch is not an error; one with no room is.
///
/// # Errors
/// What is wrong with the transport.
pub async fn fetches_nothing_without_an_error<F: Pull>() -> Verdict {
    let bus = F::open().await?;
    let consumer = F::consumer(&bus, "conformance.one").await?;
    let batch = consumer.fetch(10, WAIT).await?;
    ensure!(batch.is_empty(), "{} came from nowhere", batch.len());
    let refused = consumer.fetch(0, WAIT).await.map(drop).err().map(|error| error.kind());
    ensure!(refused == Some(ErrorKind::InvalidInput), "a batch without room was {refused:?}");
    Ok(())
}

/// What a fetch brought and was nakked is fetched again.
///
/// # Errors
/// What is wrong with the transport.
pub async fn fetches_again_what_was_nakked<F: Pull>() -> Verdict {
    let bus = F::open().await?;
    let consumer = F::consumer(&bus, "conformance.one").await?;
    publish::<F>(&bus, "conformance.one", 1).await?;
    for delivered in 1..=3 {
        let mut batch = consumer.fetch(1, Duration::from_secs(5)).await?;
        let taken = batch.pop().ok_or_else(|| crate::Flaw::new("it did not come again"))??;
        ensure!(taken.metadata.delivered == Some(delivered), "it was counted as {:?}", taken.metadata.delivered);
        taken.nak().await?;
    }
    Ok(())
}

/// What a fetch brought and nobody settled is fetched again after the ack wait, not before.
///
/// # Errors
/// What is wrong with the transport.
pub async fn fetches_again_what_was_not_settled<F: Pull>() -> Verdict {
    let bus = F::open().await?;
    let consumer = F::consumer(&bus, "conformance.one").await?;
    publish::<F>(&bus, "conformance.one", 1).await?;
    let started = Instant::now();
    for _ in 0..2 {
        let mut batch = consumer.fetch(1, F::ack_wait() * 2).await?;
        let taken = batch.pop().ok_or_else(|| crate::Flaw::new("it did not come again"))??;
        ensure!(F::number(&taken.message.payload) == 1, "another message came again");
    }
    let took = started.elapsed();
    ensure!(took >= F::ack_wait().mul_f64(0.9), "it came again after {took:?}");
    Ok(())
}
