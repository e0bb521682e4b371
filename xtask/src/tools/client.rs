//! The official Python client, which the tests of `testing/` talk to.

use std::path::Path;
use std::process::Command;

use super::wheel::{self, Wheel};
use crate::failure::Failure;

const WHEEL: Wheel = Wheel {
    package: "nats-py",
    version: "2.16.0",
    hashes: &[("any", "aeb1ff123966c05833d26c7df7e1d54c1c6d32b612428b21677a2e921f1fecae")],
};

/// Says where the client lies, or fetches it.
pub(super) fn ensure(tools: &Path) -> Result<String, Failure> {
    let folder = tools.join(format!("nats-py-{}", WHEEL.version));
    if !is_usable(&folder) {
        wheel::fetch(&WHEEL, "", &folder, |_| Ok(())).map_err(|why| no_client(&why))?;
    }
    if !is_usable(&folder) {
        return Err(no_client("the downloaded package does not run here"));
    }
    Ok(format!("{} is nats-py {}", folder.display(), WHEEL.version))
}

fn is_usable(folder: &Path) -> bool {
    let mut command = Command::new("python3");
    command.args(["-c", "import nats.micro"]).env("PYTHONPATH", folder);
    folder.is_dir() && command.output().is_ok_and(|output| output.status.success())
}

fn no_client(why: &str) -> Failure {
    let Wheel { package, version, .. } = WHEEL;
    format!(
        "no {package} {version}, and it could not be fetched: {why}\n\
         the tests of `testing/` need it: install python3 with pip, go online, and run `cargo xtask tools` again"
    )
    .into()
}
