//! One processor for a contender, so that its rate tells what work it has and not how long an idle processor takes to wake.

use std::fmt;
use std::sync::Arc;

use crate::Result;
use crate::contender::Contender;
use crate::stopwatch::Stopwatch;

/// A contender that runs with all its threads, and the programs it starts, on one processor. On Linux; elsewhere on all of them.
pub struct OnOneProcessor(pub Arc<dyn Contender>);

impl Contender for OnOneProcessor {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn run(&self, messages: u64, stopwatch: &mut Stopwatch) -> Result {
        let pinned = Pinned::new()?;
        let done = self.0.run(messages, stopwatch);
        drop(pinned);
        done
    }
}

impl fmt::Debug for OnOneProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnOneProcessor").field(&self.name()).finish()
    }
}

/// What this thread starts meanwhile is on one processor as well.
#[cfg(target_os = "linux")]
struct Pinned {
    before: rustix::thread::CpuSet,
}

#[cfg(target_os = "linux")]
impl Pinned {
    fn new() -> Result<Self> {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let before = sched_getaffinity(None)?;
        let mut one = CpuSet::new();
        one.set((0..CpuSet::MAX_CPU).find(|cpu| before.is_set(*cpu)).ok_or("no processor is allowed")?);
        sched_setaffinity(None, &one)?;
        Ok(Self { before })
    }
}

#[cfg(target_os = "linux")]
impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed before.
        let _ = rustix::thread::sched_setaffinity(None, &self.before);
    }
}

#[cfg(not(target_os = "linux"))]
struct Pinned;

#[cfg(not(target_os = "linux"))]
impl Pinned {
    fn new() -> Result<Self> {
        Ok(Self)
    }
}
