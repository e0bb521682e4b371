//! A bound on what is in flight, without a queue.

use std::sync::atomic::{AtomicUsize, Ordering};

use flux_core::Stage;

use crate::{Describe, Overloaded, Shape};

/// Lets so many calls of a stage run at the same time, and refuses the next one with [`Overloaded`] at once.
///
/// The stage's error must convert from [`Overloaded`]; [`GuardError`](crate::GuardError) is for those that do not.
/// [`Bulkhead`](crate::Bulkhead) lets them wait instead.
///
/// ```
/// use flux_core::{Error, Stage};
/// use flux_stage::LoadShed;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// async fn render(n: u32) -> Result<u32, Error> {
///     Ok(n)
/// }
/// let stage = LoadShed::new(render, 64);
/// assert_eq!(stage.process(1).await.unwrap(), 1);
/// assert_eq!(stage.in_flight(), 0);
/// # }
/// ```
///
/// # Cancel safety
/// A dropped call gives its place back.
#[derive(Debug)]
pub struct LoadShed<S> {
    stage: S,
    limit: usize,
    running: AtomicUsize,
}

impl<S> LoadShed<S> {
    /// Lets `in_flight` calls of `stage` run at the same time, at least one.
    pub const fn new(stage: S, in_flight: usize) -> Self {
        let limit = if in_flight == 0 { 1 } else { in_flight };
        Self { stage, limit, running: AtomicUsize::new(0) }
    }

    /// How many calls run right now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    fn place(&self) -> Result<Place<'_>, Overloaded> {
        let more = |running| (running < self.limit).then_some(running + 1);
        match self.running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(Place(&self.running)),
            Err(_) => Err(Overloaded::new(self.limit)),
        }
    }
}

/// One call in flight.
struct Place<'l>(&'l AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<In, S> Stage<In> for LoadShed<S>
where
    In: Send,
    S: Stage<In, Error: From<Overloaded>>,
{
    type Out = S::Out;
    type Error = S::Error;

    async fn process(&self, input: In) -> Result<S::Out, S::Error> {
        let _place = self.place()?;
        self.stage.process(input).await
    }
}

impl<S: Describe> Describe for LoadShed<S> {
    fn describe(&self) -> Shape {
        Shape::around("load shed", self.stage.describe())
    }
}
