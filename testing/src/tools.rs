//! The programs that `cargo xtask tools` puts into the target folder.

use std::path::{Path, PathBuf};

/// Finds one in the target folder that this program was built in.
///
/// # Panics
/// Without it: a test that cannot run has failed.
pub(crate) fn find(name: &str) -> PathBuf {
    let program = std::env::current_exe().expect("a test knows its program");
    let at = |folder: &Path| folder.join("tools").join(name);
    let found = program.ancestors().map(at).find(|found| found.exists());
    found.unwrap_or_else(|| panic!("no tools/{name} in the target folder: run `cargo xtask tools`"))
}
