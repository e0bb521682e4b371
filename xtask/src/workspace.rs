//! The members of the workspace, as `cargo metadata` tells them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::Deserialize;

use crate::cargo::Cargo;
use crate::failure::Failure;

/// The folder that holds the root manifest. Cargo tells it anew at each run, because a target folder that two clones
/// share may hold an xtask that was built in the other one.
pub(crate) fn root() -> PathBuf {
    let own = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&own).parent().expect("xtask lies in the workspace's root").to_owned()
}

/// Makes an empty folder, for what a step writes and reads again.
pub(crate) fn renew(folder: &Path) -> Result<(), Failure> {
    let removed = if folder.exists() { fs::remove_dir_all(folder) } else { Ok(()) };
    let made = removed.and_then(|()| fs::create_dir_all(folder));
    made.map_err(|error| format!("cannot empty {}: {error}", folder.display()).into())
}

/// Everything a step wants to know about the members.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

/// One member.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    #[serde(default)]
    pub(crate) dependencies: Vec<Dependency>,
    #[serde(default)]
    pub(crate) features: BTreeMap<String, Vec<String>>,
    metadata: Option<Metadata>,
    publish: Option<Vec<String>>,
}

/// One entry of a `[dependencies]` table, of any kind.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) optional: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    flux: Option<FluxMetadata>,
}

#[derive(Debug, Deserialize)]
struct FluxMetadata {
    floor: Option<u8>,
}

impl Workspace {
    /// Asks cargo; needs neither network nor lock file.
    pub(crate) fn load() -> Result<Self, Failure> {
        let json = Cargo::new(["metadata", "--format-version=1", "--no-deps"]).output()?;
        serde_json::from_str(&json).map_err(|error| format!("cannot read cargo's metadata: {error}").into())
    }

    /// The members that go to the registry.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_published())
    }

    /// The member of that name.
    pub(crate) fn member(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// The members that run the conformance suite as transports.
    pub(crate) fn transports(&self) -> impl Iterator<Item = &Package> {
        self.published().filter(|package| package.is_transport())
    }
}

impl Package {
    /// A package with `publish = false` has an empty list of registries.
    pub(crate) fn is_published(&self) -> bool {
        self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }

    /// The floor of the house it stands on, where it says so.
    pub(crate) fn floor(&self) -> Option<u8> {
        self.metadata.as_ref()?.flux.as_ref()?.floor
    }

    /// What users of it build too: everything but its dev-dependencies.
    pub(crate) fn shipped_dependencies(&self) -> impl Iterator<Item = &Dependency> {
        let shipped = |dependency: &&Dependency| dependency.kind.as_deref() != Some("dev");
        self.dependencies.iter().filter(shipped)
    }

    /// The folder of its manifest.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    /// That folder relative to the root, with `/` between its parts.
    pub(crate) fn relative_folder(&self) -> String {
        let relative = self.folder().strip_prefix(root()).unwrap_or(self.folder());
        relative.to_string_lossy().replace('\\', "/")
    }

    /// A transport is a crate that runs the conformance suite against itself.
    pub(crate) fn is_transport(&self) -> bool {
        self.name != "flux-conformance" && self.folder().join("tests/conformance.rs").is_file()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A workspace of these packages, each a JSON object.
    pub(crate) fn workspace(packages: &str) -> Workspace {
        let json = format!(r#"{{"packages": [{packages}], "target_directory": ""}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn an_empty_list_of_registries_means_unpublished() {
        let published = |publish: &str| {
            let package = format!(r#"{{"name": "a", "manifest_path": "", "publish": {publish}}}"#);
            workspace(&package).packages[0].is_published()
        };
        assert!(published("null"));
        assert!(published(r#"["crates-io"]"#));
        assert!(!published("[]"));
    }
}
