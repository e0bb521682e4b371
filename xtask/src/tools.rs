//! The programs that tests need beside what cargo builds for them.

mod client;
mod collector;
mod server;
mod wheel;

use crate::failure::Failure;
use crate::step::{Checked, Outcome};
use crate::workspace::Workspace;

/// The step: what is there is left as it is.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let tools = workspace.target_directory.join("tools");
    let found = [server::ensure(&tools), client::ensure(&tools), collector::ensure(&tools)];
    let mut complaints = Vec::new();
    let mut count = 0;
    for tool in found {
        match tool {
            Ok(line) => {
                println!("{line}");
                count += 1;
            }
            Err(failure) => complaints.push(failure.to_string()),
        }
    }
    Failure::unless_empty(complaints)?;
    Ok(Checked { count, what: "tools" })
}
