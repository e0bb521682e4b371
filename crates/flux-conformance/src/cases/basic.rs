//! What every transport does: carry a message from a publisher to its subscribers.

use flux_core::{Delivery, ErrorKind, Headers, Message, Outcome, Publisher as _, Settle as _, Subscriber as _, header};

use super::{beside, ensure, join, publish, send, subscribe, take, take_message, take_number, take_several};
use crate::{Fixture, Flaw, Verdict};

/// The payload and the subject arrive as they were sent.
///
/// # Errors
/// What is wrong with the transport, as all cases.
pub async fn delivers_payload_and_subject<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = subscribe::<F>(&bus, "conformance.one").await?;
    publish::<F>(&bus, "conformance.one", 7).await?;
    let taken = take_message::<F>(&mut deliveries).await?;
    ensure!(F::number(&taken.payload) == 7, "another payload arrived");
    ensure!(taken.subject == "conformance.one", "it arrived as {}", taken.subject);
    Ok(())
}

/// Headers arrive whole: case, repetition, empty values, text that is not ASCII, and the values of one name in their order.
/// Different names may change places, because clients of NATS and HTTP keep headers in hash maps.
///
/// # Errors
/// What is wrong with the transport.
pub async fn keeps_headers<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = subscribe::<F>(&bus, "conformance.one").await?;
    let mut message = Message::new("conformance.one", F::payload(1))?;
    for (name, value) in [
        ("X-First", "1"),
        ("x-lower", "a, b; c=\"d\""),
        ("X-Again", "one"),
        ("X-Empty", ""),
        ("X-Again", "two"),
        ("X-Text", "größe"),
    ] {
        message.headers.append(name, value)?;
    }
    let sent = message.headers.clone();
    send::<F>(&bus, message).await?;
    let arrived = take_message::<F>(&mut deliveries).await?.headers;
    let keeps_case = F::capabilities().header_case;
    // A codec may add its content type; what was sent must all be there, and in case unless the transport says otherwise.
    let own = |headers: &Headers| -> Vec<(String, String)> {
        let own = headers.iter().filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-"));
        let case = |name: &str| if keeps_case { name.to_owned() } else { name.to_ascii_lowercase() };
        let mut own: Vec<_> = own.map(|(name, value)| (case(name), value.to_owned())).collect();
        own.sort_by(|(one, _), (two, _)| one.cmp(two));
        own
    };
    ensure!(own(&arrived) == own(&sent), "sent {sent:?}, but {arrived:?} arrived");
    let kept = arrived.iter().any(|(name, _)| name == "X-First");
    ensure!(kept == keeps_case, "the case of names is kept, but the transport says it is not");
    ensure!(arrived.get("X-FIRST") == Some("1"), "look-up depends on case");
    Ok(())
}

/// The business id arrives, and is not made up when there is none.
///
/// # Errors
/// What is wrong with the transport.
pub async fn keeps_the_message_id<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = subscribe::<F>(&bus, "conformance.one").await?;
    send::<F>(&bus, Message::new("conformance.one", F::payload(1))?.with_id("order-1")?).await?;
    publish::<F>(&bus, "conformance.one", 2).await?;
    let taken = take_several::<F>(&mut deliveries, 2).await?;
    let id = taken.first().and_then(Message::id);
    ensure!(id == Some("order-1"), "the id arrived as {id:?}");
    let invented = taken.last().is_none_or(|without| without.headers.contains(&header::MESSAGE_ID));
    ensure!(!invented, "an id came from nowhere");
    Ok(())
}

/// Filters take what they match and nothing else.
///
/// # Errors
/// What is wrong with the transport.
pub async fn matches_wildcards<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    let mut star = subscribe::<F>(&bus, "conformance.*.x").await?;
    let mut tail = subscribe::<F>(&bus, "conformance.a.>").await?;
    let subjects = [
        "conformance.a.x",
        "conformance.b.x",
        "conformance.a.y",
        "conformance.a.x.z",
        "conformance.a",
        "conformance.a.x",
    ];
    for (number, subject) in (1..).zip(subjects) {
        publish::<F>(&bus, subject, number).await?;
    }
    for (name, deliveries, expected) in
        [("*", &mut star, [(1, 0), (2, 1), (6, 5)].as_slice()), (">", &mut tail, &[(1, 0), (3, 2), (4, 3), (6, 5)])]
    {
        let taken = take_several::<F>(deliveries, expected.len()).await?;
        for ((number, place), taken) in expected.iter().zip(taken) {
            let found = F::number(&taken.payload);
            ensure!(found == *number, "`{name}` took {found} ({}) instead of {number}", taken.subject);
            let subject = subjects.get(*place).copied().unwrap_or_default();
            ensure!(taken.subject == *subject, "{} lost its subject", taken.subject);
        }
    }
    Ok(())
}

/// Bad subjects and filters are refused as such.
///
/// # Errors
/// What is wrong with the transport.
pub async fn refuses_bad_subjects<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    for subject in ["", "conformance..x", "conformance.*", "conformance. x"] {
        let refused = bus.publish(subject, F::payload(1)).await.map(drop).err().map(|error| error.kind());
        ensure!(refused == Some(ErrorKind::InvalidSubject), "publishing to `{subject}` was {refused:?}");
    }
    for filter in ["", "conformance..x", "conformance.>.x", "conformance.a*"] {
        let refused = bus.subscribe(filter).await.map(drop).err().map(|error| error.kind());
        ensure!(refused == Some(ErrorKind::InvalidSubject), "subscribing to `{filter}` was {refused:?}");
    }
    Ok(())
}

/// A thousand messages of one publisher arrive once each, in order where order is promised.
///
/// # Errors
/// What is wrong with the transport.
pub async fn keeps_order<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = subscribe::<F>(&bus, "conformance.one").await?;
    let publisher = bus.clone();
    let publishing = beside(async move {
        for number in 0..1_000 {
            publisher.publish("conformance.one", F::payload(number)).await?;
        }
        Ok::<(), flux_core::Error>(())
    });
    let mut numbers = Vec::new();
    for _ in 0..1_000 {
        let Delivery { message, acker, .. } = take::<F>(&mut deliveries).await?;
        numbers.push(F::number(&message.payload));
        // On a slow machine it would come again.
        acker.settle(Outcome::Ack).await?;
    }
    join(publishing).await??;
    let in_order = numbers.is_sorted();
    numbers.sort_unstable();
    ensure!(numbers.iter().copied().eq(0..1_000), "messages were lost or doubled");
    ensure!(in_order || F::capabilities().order == "none", "messages changed places");
    Ok(())
}

/// Two subscriptions each get every message.
///
/// # Errors
/// What is wrong with the transport.
pub async fn gives_every_subscriber_its_own<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    let mut one = subscribe::<F>(&bus, "conformance.one").await?;
    let mut two = subscribe::<F>(&bus, "conformance.>").await?;
    for number in 0..10 {
        publish::<F>(&bus, "conformance.one", number).await?;
    }
    for deliveries in [&mut one, &mut two] {
        let taken = take_several::<F>(deliveries, 10).await?;
        let numbers: Vec<_> = taken.iter().map(|message| F::number(&message.payload)).collect();
        ensure!(numbers.iter().copied().eq(0..10), "{numbers:?} arrived");
    }
    Ok(())
}

/// Eight publishers at once: everything arrives, once.
///
/// # Errors
/// What is wrong with the transport.
pub async fn loses_nothing_of_concurrent_publishers<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    let mut deliveries = subscribe::<F>(&bus, "conformance.one").await?;
    let publish = |publisher: u64| {
        let bus = bus.clone();
        beside(async move {
            for number in 0..100 {
                bus.publish("conformance.one", F::payload(publisher * 100 + number)).await?;
            }
            Ok::<(), flux_core::Error>(())
        })
    };
    let publishers: Vec<_> = (0..8).map(publish).collect();
    let mut numbers = Vec::new();
    for _ in 0..800 {
        numbers.push(take_number::<F>(&mut deliveries).await?);
    }
    for publisher in publishers {
        join(publisher).await??;
    }
    numbers.sort_unstable();
    ensure!(numbers.into_iter().eq(0..800), "messages were lost or doubled");
    Ok(())
}

/// A subscription that was dropped gets nothing, and takes nothing from those that are there.
///
/// # Errors
/// What is wrong with the transport.
pub async fn unsubscribes_when_dropped<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    let left = subscribe::<F>(&bus, "conformance.one").await?;
    let mut stays = subscribe::<F>(&bus, "conformance.one").await?;
    drop(left);
    for number in 0..20 {
        publish::<F>(&bus, "conformance.one", number).await?;
        let found = take_number::<F>(&mut stays).await?;
        ensure!(found == number, "{found} arrived instead of {number}");
    }
    // Where publishing returns with the outcome, it tells whether anybody is left to take the message.
    if F::capabilities().outcomes {
        drop(stays);
        let sent = bus.publish("conformance.one", F::payload(20)).await.map(drop);
        ensure!(sent.is_err_and(|error| error.is_retryable()), "a message was taken, and everyone had left");
    }
    Ok(())
}

/// Publishers do not wait for a subscriber that left, not even one that left while they waited for it.
///
/// # Errors
/// What is wrong with the transport.
pub async fn is_not_blocked_by_one_who_left<F: Fixture>() -> Verdict {
    let bus = F::open().await?;
    let mut leaving = subscribe::<F>(&bus, "conformance.one").await?;
    let publisher = bus.clone();
    // Enough to fill any buffer; where publishing waits for the outcome there is none to fill.
    let messages = if F::capabilities().outcomes { 250 } else { 5_000 };
    let publishing = beside(async move {
        for number in 0..messages {
            match publisher.publish("conformance.one", F::payload(number)).await {
                // Where publishing returns with the outcome, nobody to handle it is one.
                Err(error) if F::capabilities().outcomes && error.is_retryable() => {}
                sent => sent.map(drop)?,
            }
        }
        Ok::<(), flux_core::Error>(())
    });
    take_number::<F>(&mut leaving).await.map(drop)?;
    drop(leaving);
    join(publishing).await?.map_err(Flaw::from)
}
