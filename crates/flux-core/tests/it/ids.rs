//! The ids that travel by themselves, through `Typed`.

use flux_core::{Headers, Message, Publisher, Requester, Result, Scope, header, subject};

use crate::number::numbers;

fn incoming() -> Message<()> {
    Message::to(subject!("orders.created"), ()).with_id("order-1").expect("valid")
}

#[tokio::test]
async fn what_is_published_in_a_scope_carries_the_work_on() -> Result<()> {
    let (wire, bus) = numbers();
    Scope::of(&incoming().headers).run(bus.publish("n", 1)).await?;
    let sent = wire.only();
    assert_eq!((sent.correlation_id(), sent.causation_id()), (Some("order-1"), Some("order-1")));
    assert_eq!(sent.id(), None, "an id is a message's own");
    Ok(())
}

#[tokio::test]
async fn the_correlation_stays_while_the_cause_moves_on() -> Result<()> {
    let (wire, bus) = numbers();
    let second = incoming().with_id("order-2")?.with_header(header::CORRELATION_ID, "work-9")?;
    let second = second.with_header(header::TRACEPARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")?;
    Scope::of(&second.headers).run(bus.publish("n", 1)).await?;
    let sent = wire.only();
    assert_eq!((sent.correlation_id(), sent.causation_id()), (Some("work-9"), Some("order-2")));
    assert_eq!(sent.headers.get(&header::TRACEPARENT), second.headers.get(&header::TRACEPARENT));
    Ok(())
}

#[tokio::test]
async fn a_request_carries_the_work_on_too() {
    let (wire, bus) = numbers();
    let asking = async { Requester::<u32, u32>::request(&bus, "n", 1).await };
    let answer = Scope::of(&incoming().headers).run(asking).await;
    assert!(answer.is_err(), "nobody listens");
    assert_eq!(wire.only().correlation_id(), Some("order-1"));
}

#[tokio::test]
async fn what_the_publisher_says_goes_first() -> Result<()> {
    let (wire, bus) = numbers();
    let mine = Message::to(subject!("n"), 1_u32).with_header(header::CORRELATION_ID, "mine")?;
    Scope::of(&incoming().headers).run(bus.send(mine)).await?;
    let sent = wire.only();
    assert_eq!((sent.correlation_id(), sent.causation_id()), (Some("mine"), Some("order-1")));
    Ok(())
}

#[tokio::test]
async fn two_tasks_on_one_thread_keep_their_scopes_apart() -> Result<()> {
    let (wire, bus) = numbers();
    let handle = |id: &str| {
        let message = Message::to(subject!("in"), ()).with_id(id).expect("valid");
        let bus = &bus;
        Scope::of(&message.headers).run(async move {
            tokio::task::yield_now().await;
            bus.publish("n", 1).await
        })
    };
    let (one, two) = tokio::join!(handle("a"), handle("b"));
    one?;
    two?;
    let mut causes: Vec<_> = wire.sent().iter().filter_map(|sent| sent.causation_id().map(str::to_owned)).collect();
    causes.sort();
    assert_eq!(causes, ["a", "b"]);
    Ok(())
}

#[tokio::test]
async fn a_spawned_task_is_outside_unless_it_takes_the_scope_along() -> Result<()> {
    let (wire, bus) = numbers();
    Scope::of(&incoming().headers)
        .run(async {
            let (outside, inside, scope) = (bus.clone(), bus.clone(), Scope::current());
            tokio::spawn(async move { outside.publish("n.outside", 1).await }).await.expect("ran")?;
            tokio::spawn(async move { scope.run(inside.publish("n.inside", 1)).await }).await.expect("ran")
        })
        .await?;
    let sent = wire.sent();
    let correlations: Vec<_> = sent.iter().map(|message| message.correlation_id()).collect();
    assert_eq!(correlations, [None, Some("order-1")]);
    Ok(())
}

#[tokio::test]
async fn without_ids_nothing_is_added() -> Result<()> {
    let (wire, bus) = numbers();
    Scope::of(&Headers::with_content_type("text/plain")).run(bus.publish("n", 1)).await?;
    assert_eq!(wire.only().headers.iter().collect::<Vec<_>>(), [("Content-Type", "text/x-decimal")]);
    Ok(())
}
