//! The cases, by part.

pub mod basic;
pub mod groups;
pub mod outcomes;
pub mod pull;
pub mod redelivers;
pub mod requests;
pub mod restarts;

use std::future::Future;
use std::pin::Pin;

use flux_core::{Delivery, Message, Outcome, Publisher as _, Settle as _, Subscriber, next};

use crate::{Fixture, Flaw};

type Deliveries<F> = Pin<Box<<<F as Fixture>::Bus as Subscriber<<F as Fixture>::Payload>>::Deliveries>>;
type Taken<F> = Delivery<<F as Fixture>::Payload, <<F as Fixture>::Bus as Subscriber<<F as Fixture>::Payload>>::Acker>;

/// Fails the case with these words unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::Flaw::new(format!($($words)+)));
        }
    };
}
pub(crate) use ensure;

async fn subscribe<F: Fixture>(bus: &F::Bus, filter: &str) -> Result<Deliveries<F>, Flaw> {
    Ok(Box::pin(bus.subscribe(filter).await?))
}

async fn publish<F: Fixture>(bus: &F::Bus, subject: &str, number: u64) -> Result<(), Flaw> {
    send::<F>(bus, Message::new(subject, F::payload(number))?).await
}

/// Sends a message; beside the case where sending waits for the case to take it.
async fn send<F: Fixture>(bus: &F::Bus, message: Message<F::Payload>) -> Result<(), Flaw> {
    if F::capabilities().outcomes {
        let bus = bus.clone();
        // What does not arrive is missed by the case.
        drop(beside(async move { bus.send(message).await.map(drop) }));
    } else {
        bus.send(message).await?;
    }
    Ok(())
}

async fn take<F: Fixture>(deliveries: &mut Deliveries<F>) -> Result<Taken<F>, Flaw> {
    let taken = next(deliveries.as_mut()).await;
    Ok(taken.ok_or_else(|| Flaw::new("the subscription ended"))??)
}

/// The next message. Its delivery is settled where someone waits for that, and dropped elsewhere.
async fn take_message<F: Fixture>(deliveries: &mut Deliveries<F>) -> Result<Message<F::Payload>, Flaw> {
    let Delivery { message, acker, .. } = take::<F>(deliveries).await?;
    if F::capabilities().outcomes {
        acker.settle(Outcome::Ack).await?;
    }
    Ok(message)
}

async fn take_number<F: Fixture>(deliveries: &mut Deliveries<F>) -> Result<u64, Flaw> {
    Ok(F::number(&take_message::<F>(deliveries).await?.payload))
}

/// The next so many messages; in the order of their numbers, where the transport keeps none.
async fn take_several<F: Fixture>(
    deliveries: &mut Deliveries<F>,
    count: usize,
) -> Result<Vec<Message<F::Payload>>, Flaw> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(take_message::<F>(deliveries).await?);
    }
    if F::capabilities().order == "none" {
        taken.sort_by_key(|message| F::number(&message.payload));
    }
    Ok(taken)
}

/// Runs `future` beside the case.
fn beside<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::spawn(future)
}

/// Waits for what runs beside the case.
async fn join<T>(task: tokio::task::JoinHandle<T>) -> Result<T, Flaw> {
    task.await.map_err(|error| Flaw::new(format!("a task ended: {error}")))
}
