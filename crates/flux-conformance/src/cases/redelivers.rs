//! Redelivery: what is not settled comes again, and what is settled does not.

use std::time::Duration;

use flux_core::{Delivery, Message, QueueSubscriber as _, Subscriber};
use tokio::time::Instant;

use super::{Deliveries, Taken, ensure, publish, send, subscribe, take};
use crate::{Fixture, Flaw, Redelivers, Verdict};

/// A number that no case uses otherwise.
const SENTINEL: u64 = 1_000_000;

async fn member<F: Redelivers>(bus: &F::Bus) -> Result<Deliveries<F>, Flaw> {
    Ok(Box::pin(bus.subscribe_group("conformance.one", "group").await?))
}

/// Takes the next delivery, which must be of this number.
async fn expect<F: Redelivers>(deliveries: &mut Deliveries<F>, number: u64) -> Result<Taken<F>, Flaw> {
    let taken = take::<F>(deliveries).await?;
    let found = F::number(&taken.message.payload);
    ensure!(found == number, "{found} arrived instead of {number}");
    Ok(taken)
}

async fn settle<F: Fixture>(taken: Taken<F>, outcome: flux_core::Outcome) -> Result<(), Flaw> {
    let Delivery { acker, .. } = taken;
    <<F::Bus as Subscriber<F::Payload>>::Acker as flux_core::Settle>::settle(acker, outcome).await?;
    Ok(())
}

/// A message that is nakked comes again.
///
/// # Errors
/// What is wrong with the transport.
pub async fn delivers_again_what_is_nakked<F: Redelivers>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = member::<F>(&bus).await?;
    publish::<F>(&bus, "conformance.one", 1).await?;
    for _ in 0..3 {
        expect::<F>(&mut deliveries, 1).await?.nak().await?;
    }
    expect::<F>(&mut deliveries, 1).await?.ack().await?;
    Ok(())
}

/// The delay of a nak is not cut short, and holds nobody else up.
///
/// # Errors
/// What is wrong with the transport.
pub async fn waits_for_the_delay_of_a_nak<F: Redelivers>() -> Verdict {
    const DELAY: Duration = Duration::from_millis(500);
    let bus = F::open().await?;
    let mut deliveries = member::<F>(&bus).await?;
    publish::<F>(&bus, "conformance.one", 1).await?;
    let taken = expect::<F>(&mut deliveries, 1).await?;
    let started = Instant::now();
    taken.nak_after(DELAY).await?;
    publish::<F>(&bus, "conformance.one", 2).await?;
    expect::<F>(&mut deliveries, 2).await?.ack().await?;
    expect::<F>(&mut deliveries, 1).await?.ack().await?;
    // Clocks of two machines are allowed a hundredth of difference.
    ensure!(started.elapsed() >= DELAY.mul_f64(0.99), "it came again after {:?}", started.elapsed());
    Ok(())
}

/// Shows that `number` does not come again, by what comes after it.
async fn is_over<F: Redelivers>(bus: &F::Bus, deliveries: &mut Deliveries<F>) -> Verdict {
    // A second message goes the whole way of a redelivery; by then the first would have come.
    publish::<F>(bus, "conformance.one", SENTINEL).await?;
    expect::<F>(deliveries, SENTINEL).await?.nak_after(Duration::from_millis(200)).await?;
    expect::<F>(deliveries, SENTINEL).await?.ack().await?;
    Ok(())
}

/// What was acked does not come again.
///
/// # Errors
/// What is wrong with the transport.
pub async fn ends_with_an_ack<F: Redelivers>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = member::<F>(&bus).await?;
    publish::<F>(&bus, "conformance.one", 1).await?;
    expect::<F>(&mut deliveries, 1).await?.nak().await?;
    expect::<F>(&mut deliveries, 1).await?.ack().await?;
    is_over::<F>(&bus, &mut deliveries).await
}

/// What was termed does not come again.
///
/// # Errors
/// What is wrong with the transport.
pub async fn ends_with_a_term<F: Redelivers>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = member::<F>(&bus).await?;
    publish::<F>(&bus, "conformance.one", 1).await?;
    expect::<F>(&mut deliveries, 1).await?.term("of no use").await?;
    is_over::<F>(&bus, &mut deliveries).await
}

/// The transport counts deliveries, from one.
///
/// # Errors
/// What is wrong with the transport.
pub async fn counts_deliveries<F: Redelivers>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = member::<F>(&bus).await?;
    publish::<F>(&bus, "conformance.one", 1).await?;
    for delivered in 1..=3 {
        let taken = expect::<F>(&mut deliveries, 1).await?;
        let counted = taken.metadata.delivered;
        ensure!(counted == Some(delivered), "delivery {delivered} was counted as {counted:?}");
        settle::<F>(taken, flux_core::Outcome::Nak).await?;
    }
    Ok(())
}

/// A message that comes again is the same: payload, subject, headers, id.
///
/// # Errors
/// What is wrong with the transport.
pub async fn keeps_the_message_when_it_comes_again<F: Redelivers>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = member::<F>(&bus).await?;
    let message =
        Message::new("conformance.one", F::payload(1))?.with_id("order-1")?.with_header("X-Tenant", "acme")?;
    send::<F>(&bus, message).await?;
    let first = expect::<F>(&mut deliveries, 1).await?;
    let (subject, headers) = (first.message.subject.clone(), first.message.headers.clone());
    first.nak().await?;
    let again = expect::<F>(&mut deliveries, 1).await?.message;
    ensure!(again.subject == subject, "the subject changed to {}", again.subject);
    ensure!(again.headers == headers, "{headers:?} changed to {:?}", again.headers);
    Ok(())
}

/// What a member took and did not settle goes to those who come after it.
///
/// # Errors
/// What is wrong with the transport.
pub async fn loses_nothing_of_a_member_that_left<F: Redelivers>() -> Verdict {
    let bus = F::open().await?;
    let mut leaving = member::<F>(&bus).await?;
    publish::<F>(&bus, "conformance.one", 1).await?;
    publish::<F>(&bus, "conformance.one", 2).await?;
    expect::<F>(&mut leaving, 1).await?.nak_after(Duration::from_millis(100)).await?;
    drop(leaving);
    let mut deliveries = member::<F>(&bus).await?;
    expect::<F>(&mut deliveries, 2).await?.ack().await?;
    expect::<F>(&mut deliveries, 1).await?.ack().await?;
    Ok(())
}

/// What was published before somebody subscribed is there for them.
///
/// # Errors
/// What is wrong with the transport.
pub async fn keeps_messages_for_late_subscribers<F: Redelivers>() -> Verdict {
    let bus = F::open().await?;
    publish::<F>(&bus, "conformance.one", 1).await?;
    let mut plain = subscribe::<F>(&bus, "conformance.one").await?;
    expect::<F>(&mut plain, 1).await?.ack().await?;
    let mut group = member::<F>(&bus).await?;
    expect::<F>(&mut group, 1).await?.ack().await?;
    Ok(())
}

/// What nobody settles comes again after the ack wait, not before.
///
/// # Errors
/// What is wrong with the transport.
pub async fn delivers_again_what_is_not_settled<F: Redelivers>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = member::<F>(&bus).await?;
    publish::<F>(&bus, "conformance.one", 1).await?;
    let forgotten = expect::<F>(&mut deliveries, 1).await?;
    let started = Instant::now();
    drop(forgotten);
    expect::<F>(&mut deliveries, 1).await?.ack().await?;
    let took = started.elapsed();
    ensure!(took >= F::ack_wait().mul_f64(0.9), "it came again after {took:?}");
    ensure!(took <= F::ack_wait() * 2, "it came again only after {took:?}");
    Ok(())
}

/// A sign of progress starts the ack wait anew.
///
/// # Errors
/// What is wrong with the transport.
pub async fn extends_the_time_on_progress<F: Redelivers>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = member::<F>(&bus).await?;
    publish::<F>(&bus, "conformance.one", 1).await?;
    let taken = expect::<F>(&mut deliveries, 1).await?;
    let started = Instant::now();
    for _ in 0..4 {
        // The time passes while the delivery is held; what is proven comes from the clock afterwards.
        tokio::time::sleep(F::ack_wait() / 2).await;
        flux_core::Settle::keep_alive(&taken.acker).await?;
    }
    drop(taken);
    expect::<F>(&mut deliveries, 1).await?.ack().await?;
    let took = started.elapsed();
    ensure!(took >= F::ack_wait().mul_f64(2.9), "it came again after {took:?}, in spite of progress");
    Ok(())
}

/// What was acked or termed does not come again, not even after the ack wait.
///
/// # Errors
/// What is wrong with the transport.
pub async fn leaves_alone_what_was_settled<F: Redelivers>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = member::<F>(&bus).await?;
    for number in [1, 2, SENTINEL] {
        publish::<F>(&bus, "conformance.one", number).await?;
    }
    expect::<F>(&mut deliveries, 1).await?.ack().await?;
    expect::<F>(&mut deliveries, 2).await?.term("of no use").await?;
    // The sentinel is forgotten twice: after the second ack wait, whatever else was to come has come.
    drop(expect::<F>(&mut deliveries, SENTINEL).await?);
    drop(expect::<F>(&mut deliveries, SENTINEL).await?);
    expect::<F>(&mut deliveries, SENTINEL).await?.ack().await?;
    Ok(())
}
