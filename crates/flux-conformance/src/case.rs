//! Runs cases, and tells which passed.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::time::Duration;

use tokio::runtime::Builder;

/// How long one case may take, in the time it runs in.
const LIMIT: Duration = Duration::from_secs(600);

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

    /// Runs the case on a runtime of its own.
    ///
    /// # Errors
    /// What is wrong with the transport; a panic and a case that does not end are wrong, too.
    pub fn run(&self, flavor: Flavor) -> Verdict {
        let mut builder = match flavor {
            Flavor::CurrentThread => Builder::new_current_thread(),
            Flavor::MultiThread => Builder::new_multi_thread(),
        };
        builder.enable_all();
        if flavor == Flavor::CurrentThread {
            builder.start_paused(self.paused);
        } else {
            builder.worker_threads(2);
        }
        let runtime = builder.build().map_err(|error| Flaw::new(format!("no runtime: {error}")))?;
        let limit = if flavor == Flavor::CurrentThread && self.paused { LIMIT } else { LIMIT / 20 };
        let name = self.name;
        let run = async {
            tokio::time::timeout(limit, (self.start)())
                .await
                .unwrap_or_else(|_| Err(Flaw::new(format!("`{name}` still waits after {limit:?}"))))
        };
        let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run)));
        runtime.shutdown_background();
        ended.unwrap_or_else(|_| Err(Flaw::new(format!("`{name}` panicked"))))
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
