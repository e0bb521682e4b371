//! Queue groups: each message goes to one member.

use std::future::Future as _;

use flux_core::{ErrorKind, QueueSubscriber as _};

use super::{Deliveries, ensure, publish, subscribe, take_number};
use crate::{Flaw, Groups, Verdict};

async fn member<F: Groups>(bus: &F::Bus, group: &str) -> Result<Deliveries<F>, Flaw> {
    Ok(Box::pin(bus.subscribe_group("conformance.one", group).await?))
}

/// So many numbers, sorted: a transport with groups need not keep the order.
async fn take_numbers<F: Groups>(deliveries: &mut Deliveries<F>, count: usize) -> Result<Vec<u64>, Flaw> {
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        numbers.push(take_number::<F>(deliveries).await?);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Two members get every message once between them.
///
/// # Errors
/// What is wrong with the transport.
pub async fn shares_among_members<F: Groups>() -> Verdict {
    let bus = F::open().await?;
    let (one, two) = (member::<F>(&bus, "group").await?, member::<F>(&bus, "group").await?);
    for number in 0..100 {
        publish::<F>(&bus, "conformance.one", number).await?;
    }
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let collect = |mut deliveries: Deliveries<F>| {
        let seen = std::sync::Arc::clone(&seen);
        async move {
            loop {
                let number = take_number::<F>(&mut deliveries).await?;
                let mut seen = seen.lock().map_err(|_| Flaw::new("a member panicked"))?;
                seen.push(number);
                if seen.len() >= 100 {
                    return Ok::<(), Flaw>(());
                }
            }
        }
    };
    let (mut left, mut right) = (Box::pin(collect(one)), Box::pin(collect(two)));
    std::future::poll_fn(|cx| {
        let (left, right) = (left.as_mut().poll(cx), right.as_mut().poll(cx));
        if left.is_ready() { left } else { right }
    })
    .await?;
    let mut numbers = seen.lock().map_err(|_| Flaw::new("a member panicked"))?.clone();
    numbers.sort_unstable();
    ensure!(numbers.into_iter().eq(0..100), "messages were lost or doubled within the group");
    Ok(())
}

/// While messages keep coming, no member is passed over for ever.
///
/// # Errors
/// What is wrong with the transport.
pub async fn gives_every_member_work<F: Groups>() -> Verdict {
    let bus = F::open().await?;
    let (mut one, mut two) = (member::<F>(&bus, "group").await?, member::<F>(&bus, "group").await?);
    for number in 0..200 {
        publish::<F>(&bus, "conformance.one", number).await?;
    }
    // By chance alone, one of two members gets nothing of 200 once in 10^60 runs.
    take_number::<F>(&mut two).await?;
    take_number::<F>(&mut one).await?;
    Ok(())
}

/// A member that was dropped takes nothing from those that stay.
///
/// # Errors
/// What is wrong with the transport.
pub async fn gives_nothing_to_a_member_that_left<F: Groups>() -> Verdict {
    let bus = F::open().await?;
    let (left, mut stays) = (member::<F>(&bus, "group").await?, member::<F>(&bus, "group").await?);
    drop(left);
    for number in 0..50 {
        publish::<F>(&bus, "conformance.one", number).await?;
        // In process nothing else has waited so far: whatever is left of the member gets its turn.
        tokio::task::yield_now().await;
    }
    let found = take_numbers::<F>(&mut stays, 50).await?;
    ensure!(found.iter().copied().eq(0..50), "{found:?} arrived; what is missing went to a member that left");
    Ok(())
}

/// Another group and a plain subscription get every message, whatever a group takes.
///
/// # Errors
/// What is wrong with the transport.
pub async fn leaves_others_alone<F: Groups>() -> Verdict {
    let bus = F::open().await?;
    let mut group = member::<F>(&bus, "one").await?;
    let mut other = member::<F>(&bus, "two").await?;
    let mut plain = subscribe::<F>(&bus, "conformance.one").await?;
    for number in 0..10 {
        publish::<F>(&bus, "conformance.one", number).await?;
    }
    for deliveries in [&mut group, &mut other, &mut plain] {
        let found = take_numbers::<F>(deliveries, 10).await?;
        ensure!(found.iter().copied().eq(0..10), "{found:?} arrived instead of 0 to 9");
    }
    Ok(())
}

/// A group has a name.
///
/// # Errors
/// What is wrong with the transport.
pub async fn refuses_a_group_without_name<F: Groups>() -> Verdict {
    let bus = F::open().await?;
    let refused = bus.subscribe_group("conformance.one", "").await.map(drop).err().map(|error| error.kind());
    ensure!(refused == Some(ErrorKind::InvalidInput), "a group without name was {refused:?}");
    Ok(())
}
