//! wrk as the client: a program of its own, so that the measured one is nothing but a server.

use std::fmt;
use std::marker::PhantomData;
use std::process::Command;

use crate::contender::Contender;
use crate::contender::http::{Echo, PATH};
use crate::payload::{Payload as _, Reading};
use crate::stopwatch::Stopwatch;
use crate::{Result, runtime};

/// Longer than any run takes; wrk ends when it has its answers.
const AT_MOST: &str = "120s";

/// A server under the load of wrk, over so many connections.
pub struct UnderWrk<E> {
    name: &'static str,
    width: u64,
    server: PhantomData<fn() -> E>,
}

impl<E: Echo> UnderWrk<E> {
    /// The contender called `name`.
    #[must_use]
    pub fn new(name: &'static str, width: u64) -> Self {
        Self { name, width, server: PhantomData }
    }
}

/// Whether wrk is installed.
#[must_use]
pub fn is_installed() -> bool {
    // It has no option that succeeds; that it starts is enough.
    Command::new("wrk").arg("--version").output().is_ok()
}

impl<E: Echo> Contender for UnderWrk<E> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, messages: u64, stopwatch: &mut Stopwatch) -> Result {
        let runtime = runtime::workers()?;
        let server = E::start(&runtime, messages)?;
        let script = std::env::temp_dir().join(format!("flux-bench-{}.lua", std::process::id()));
        std::fs::write(&script, lua(messages)?)?;
        let mut wrk = Command::new("wrk");
        wrk.args(["--threads", "1", "--duration", AT_MOST, "--connections", &self.width.to_string(), "--script"])
            .arg(&script)
            .arg(format!("http://{}{PATH}", server.address()));
        let output = stopwatch.measure(|| wrk.output());
        std::fs::remove_file(&script)?;
        let output = output.map_err(|error| format!("wrk, of the Debian package of that name: {error}"))?;
        let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // It prints a summary when the time has passed.
        if output.status.success() && !text.contains("requests in") {
            return Ok(());
        }
        Err(format!("wrk did not get its answers ({}): {text}{errors}", output.status).into())
    }
}

/// Posts the same reading until so many answers are there. The process ends itself: `wrk.thread:stop()` would wait for the time to pass.
fn lua(messages: u64) -> Result<String> {
    let body = serde_json::to_string(&Reading::nth(0))?;
    Ok(format!(
        "wrk.method = 'POST'\n\
         wrk.body = [[{body}]]\n\
         wrk.headers['Content-Type'] = 'application/json'\n\
         local left = {messages}\n\
         function response(status)\n\
           if status ~= 200 then os.exit(3) end\n\
           left = left - 1\n\
           if left == 0 then os.exit(0) end\n\
         end\n"
    ))
}

impl<E> fmt::Debug for UnderWrk<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnderWrk").field("name", &self.name).finish_non_exhaustive()
    }
}
