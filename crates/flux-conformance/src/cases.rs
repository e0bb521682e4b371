//! The cases, by part.

pub mod basic;
pub mod groups;
pub mod pull;
pub mod redelivers;
pub mod requests;
pub mod restarts;

use std::future::Future;
use std::pin::Pin;

use flux_core::{Delivery, Message, Publisher as _, Subscriber, next};

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
    bus.publish(subject, F::payload(number)).await?;
    Ok(())
}

async fn send<F: Fixture>(bus: &F::Bus, message: Message<F::Payload>) -> Result<(), Flaw> {
    bus.send(message).await?;
    Ok(())
}

async fn take<F: Fixture>(deliveries: &mut Deliveries<F>) -> Result<Taken<F>, Flaw> {
    let taken = next(deliveries.as_mut()).await;
    Ok(taken.ok_or_else(|| Flaw::new("the subscription ended"))??)
}

async fn take_number<F: Fixture>(deliveries: &mut Deliveries<F>) -> Result<u64, Flaw> {
    Ok(F::number(&take::<F>(deliveries).await?.message.payload))
}

/// Runs `future` beside the case.
fn beside<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::spawn(future)
}

/// Waits for what runs beside the case.
async fn join<T>(task: tokio::task::JoinHandle<T>) -> Result<T, Flaw> {
    task.await.map_err(|error| Flaw::new(format!("a task ended: {error}")))
}
