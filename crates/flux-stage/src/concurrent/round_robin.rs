//! Many stages that take turns.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

use flux_core::{Forwarded, Message, Publisher, Result as FluxResult, Stage};

use crate::{Describe, NoStages, Shape};

/// Gives each input to the next of several stages, in turn.
///
/// Of publishers it is a publisher: each message goes to the next of them.
///
/// ```
/// use flux_core::Stage;
/// use flux_stage::{RoundRobin, StageExt};
///
/// async fn left(n: u32) -> Result<String, String> { Ok(format!("left {n}")) }
/// async fn right(n: u32) -> Result<String, String> { Ok(format!("right {n}")) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let turns = RoundRobin::new([left.boxed(), right.boxed()]).unwrap();
/// assert_eq!(turns.process(1).await.as_deref(), Ok("left 1"));
/// assert_eq!(turns.process(2).await.as_deref(), Ok("right 2"));
/// assert!(RoundRobin::<()>::new([]).is_err());
/// # }
/// ```
#[derive(Debug)]
pub struct RoundRobin<S> {
    stages: Vec<S>,
    turn: AtomicUsize,
}

impl<S> RoundRobin<S> {
    /// These, the first one first.
    ///
    /// # Errors
    /// When there are none.
    pub fn new(stages: impl IntoIterator<Item = S>) -> Result<Self, NoStages> {
        NoStages::unless_some(stages).map(|stages| Self { stages, turn: AtomicUsize::new(0) })
    }

    fn next(&self) -> &S {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.stages.len();
        self.stages.get(turn).expect("a remainder is less than the length, which is not zero")
    }
}

impl<In, S: Stage<In>> Stage<In> for RoundRobin<S> {
    type Out = S::Out;
    type Error = S::Error;

    fn process(&self, input: In) -> impl Future<Output = Result<S::Out, S::Error>> + Send {
        self.next().process(input)
    }
}

impl<T, P: Publisher<T>> Publisher<T> for RoundRobin<P> {
    type Receipt = P::Receipt;

    fn send(&self, message: Message<T>) -> impl Future<Output = FluxResult<P::Receipt>> + Send {
        self.next().send(message)
    }

    fn forward(&self, message: Message<Forwarded<T>>) -> impl Future<Output = FluxResult<()>> + Send
    where
        T: Send,
    {
        self.next().forward(message)
    }

    async fn flush(&self) -> FluxResult<()> {
        for publisher in &self.stages {
            publisher.flush().await?;
        }
        Ok(())
    }
}

impl<S: Describe> Describe for RoundRobin<S> {
    fn describe(&self) -> Shape {
        Shape::split("round robin", self.stages.iter().map(Describe::describe))
    }
}
