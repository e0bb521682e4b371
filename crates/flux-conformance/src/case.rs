//! Runs cases, and tells which passed.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;

/// How long one case may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How long one case may take under a paused clock, which jumps to whatever is awaited.
const LIMIT_PAUSED: Duration = Duration::from_secs(600);
/// How long the thread of a case may be blocked, whatever its clock says.
const BLOCKED: Duration = Duration::from_secs(15);

/// What is wrong with a transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw(String);

impl Flaw {
    /// A flaw, in words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<flux_core::Error> for Flaw {
    fn from(error: flux_core::Error) -> Self {
        Self(format!("unexpected error of kind {:?}: {error}", error.kind()))
    }
}

/// What a case returns.
pub type Verdict = Result<(), Flaw>;

/// Which runtime a case runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// One thread; under a paused clock when the fixture allows it.
    CurrentThread,
    /// Two worker threads, in real time.
    MultiThread,
}

/// One case, ready to run.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name, as that of its test.
    pub name: &'static str,
    pub(crate) start: fn() -> Pin<Box<dyn Future<Output = Verdict>>>,
    pub(crate) paused: bool,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

impl Case {
    /// A case of a fixture whose clock may be paused or not.
    #[must_use]
    pub fn new(name: &'static str, paused: bool, start: fn() -> Pin<Box<dyn Future<Output = Verdict>>>) -> Self {
        Self { name, start, paused }
    }

    /// Runs the case on a thread and a runtime of its own.
    ///
    /// # Errors
    /// What is wrong with the transport; a panic and a case that does not end are wrong, too.
    pub fn run(&self, flavor: Flavor) -> Verdict {
        let case = *self;
        let (done, verdict) = mpsc::sync_channel(1);
        let start = move || {
            let ended = catch_unwind(|| case.run_here(flavor));
            // Nobody waits any more for a case that took too long.
            let _ = done.send(ended.unwrap_or_else(|panic| Err(case.panicked(panic.as_ref()))));
        };
        let thread = thread::Builder::new().name(self.name.to_owned()).spawn(start);
        thread.map_err(|error| Flaw::new(format!("no thread: {error}")))?;
        // A transport that blocks its thread blocks tokio's clock, so this limit is another thread's.
        let late = |_| Err(Flaw::new(format!("`{}` blocks its thread, even after {BLOCKED:?}", self.name)));
        verdict.recv_timeout(BLOCKED).unwrap_or_else(late)
    }

    fn run_here(self, flavor: Flavor) -> Verdict {
        let mut builder = match flavor {
            Flavor::CurrentThread => Builder::new_current_thread(),
            Flavor::MultiThread => Builder::new_multi_thread(),
        };
        builder.enable_all();
        let paused = self.paused && flavor == Flavor::CurrentThread;
        if flavor == Flavor::CurrentThread {
            builder.start_paused(paused);
        } else {
            builder.worker_threads(2);
        }
        let runtime = builder.build().map_err(|error| Flaw::new(format!("no runtime: {error}")))?;
        let limit = if paused { LIMIT_PAUSED } else { LIMIT };
        let late = |_| Err(Flaw::new(format!("`{}` still waits after {limit:?}", self.name)));
        let run = async { tokio::time::timeout(limit, (self.start)()).await.unwrap_or_else(late) };
        let verdict = runtime.block_on(run);
        runtime.shutdown_background();
        verdict
    }

    fn panicked(self, panic: &(dyn Any + Send)) -> Flaw {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Flaw::new(format!("`{}` panicked: {}", self.name, text.unwrap_or("without words")))
    }
}

/// What a run found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Cases that passed.
    pub passed: Vec<&'static str>,
    /// Cases that did not, and why.
    pub failed: Vec<(&'static str, String)>,
}

/// Runs these cases one after the other.
#[must_use]
pub fn run(cases: &[Case], flavor: Flavor) -> Report {
    let mut report = Report::default();
    for case in cases {
        match case.run(flavor) {
            Ok(()) => report.passed.push(case.name),
            Err(flaw) => report.failed.push((case.name, flaw.to_string())),
        }
    }
    report
}
