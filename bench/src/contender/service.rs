//! A library with a publisher and a handler, and the shapes in which messages pass between them.

use std::marker::PhantomData;

use tokio::runtime::Runtime;

use crate::contender::Contender;
use crate::countdown::Countdown;
use crate::stopwatch::Stopwatch;
use crate::{Result, runtime};

/// How messages get from the publisher to the handler.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// The publisher is a task of a runtime with two worker threads, the handler another; values
    /// are published, and all of it is measured.
    Across,
    /// Like `Across`, but the publisher hands over bytes that are encoded already.
    AcrossEncoded,
    /// One thread: [`BATCH`] values are published, then handled, and both are measured.
    Cycle,
    /// One thread: [`BATCH`] encoded messages are put in the queue, and only emptying it is
    /// measured.
    Drain,
}

impl Shape {
    /// What is measured, as a sentence for the report.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Across => {
                "One publisher and one handler on a runtime with two worker threads, in bursts of \
                 10,000; encoding, handing over and decoding are measured."
            }
            Self::AcrossEncoded => {
                "One publisher and one handler on a runtime with two worker threads, in bursts of \
                 10,000; the publisher sends the same encoded bytes again and again."
            }
            Self::Cycle => "One thread publishes 1,000 values, then handles them; both are measured.",
            Self::Drain => {
                "One thread puts 1,000 encoded messages in the queue, then handles them; only \
                 handling is measured."
            }
        }
    }
}

/// Messages that fill the queue before it is drained; `RustStream`'s own benchmarks take as many.
pub const BATCH: u64 = 1_000;

/// Messages sent across threads before the publisher waits for the handler to catch up.
///
/// Without it the queues of those who have no bound would fill with the whole run, and what is
/// measured would be the kernel handing out memory. Waiting costs all contenders the same.
pub const BURST: u64 = 10_000;

/// One library, started: a publisher, and a handler that reports to a [`Countdown`].
pub trait Service: Sized + Send + Sync + 'static {
    /// Starts the handler on `runtime`.
    ///
    /// # Errors
    ///
    /// When the library refuses to start.
    fn start(runtime: &Runtime) -> Result<Self>;

    /// Where the handler reports each message.
    fn countdown(&self) -> &Countdown;

    /// Publishes `messages` values.
    fn publish(&self, messages: u64) -> impl Future<Output = Result> + Send;

    /// Publishes `messages` values that are encoded already; a library that does not encode
    /// publishes the values.
    fn publish_encoded(&self, messages: u64) -> impl Future<Output = Result> + Send {
        self.publish(messages)
    }
}

/// A [`Service`] driven in one [`Shape`].
#[derive(Clone, Copy, Debug)]
pub struct Driven<S> {
    name: &'static str,
    shape: Shape,
    service: PhantomData<fn() -> S>,
}

impl<S: Service> Driven<S> {
    /// The contender called `name`.
    #[must_use]
    pub fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, service: PhantomData }
    }

    fn across(&self, messages: u64, stopwatch: &mut Stopwatch) -> Result {
        let runtime = runtime::workers()?;
        let service = S::start(&runtime)?;
        let encoded = self.shape == Shape::AcrossEncoded;
        let publishing = async move {
            for burst in parts(messages, BURST) {
                service.countdown().expect(burst);
                if encoded {
                    service.publish_encoded(burst).await?;
                } else {
                    service.publish(burst).await?;
                }
                service.countdown().reached().await;
            }
            Ok(())
        };
        stopwatch.measure(|| runtime.block_on(runtime.spawn(publishing)))?
    }

    fn in_batches(&self, messages: u64, stopwatch: &mut Stopwatch) -> Result {
        let runtime = runtime::single()?;
        let service = S::start(&runtime)?;
        for batch in parts(messages, BATCH) {
            service.countdown().expect(batch);
            if self.shape == Shape::Drain {
                runtime.block_on(service.publish_encoded(batch))?;
                if service.countdown().remaining() != batch {
                    return Err("the queue was drained while it was filled".into());
                }
                stopwatch.measure(|| runtime.block_on(service.countdown().reached()));
            } else {
                stopwatch.measure(|| {
                    runtime.block_on(async {
                        service.publish(batch).await?;
                        service.countdown().reached().await;
                        Result::Ok(())
                    })
                })?;
            }
        }
        Ok(())
    }
}

impl<S: Service> Contender for Driven<S> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, messages: u64, stopwatch: &mut Stopwatch) -> Result {
        match self.shape {
            Shape::Across | Shape::AcrossEncoded => self.across(messages, stopwatch),
            Shape::Cycle | Shape::Drain => self.in_batches(messages, stopwatch),
        }
    }
}

/// The sizes of the parts of `each` that make up `messages`.
fn parts(messages: u64, each: u64) -> impl Iterator<Item = u64> + Send {
    let full = (0..messages / each).map(move |_| each);
    full.chain(Some(messages % each).filter(|rest| *rest > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        assert_eq!(parts(2_500, 1_000).collect::<Vec<_>>(), [1_000, 1_000, 500]);
        assert_eq!(parts(1_000, 1_000).collect::<Vec<_>>(), [1_000]);
        assert_eq!(parts(0, 1_000).count(), 0);
    }
}
