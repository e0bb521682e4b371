//! Rules about one member: its lints, its README and, for a transport, its file set.

use crate::tree::Tree;
use crate::workspace::{Package, Workspace};

/// Inside of `#![doc = …]`, or of a `#![cfg_attr(…)]` where its example needs a feature.
const README_IS_DOC: &str = r#"doc = include_str!("../README.md")"#;

/// The files that every transport has; `request.rs`, `consumer.rs` and `acker.rs` come where
/// the transport offers what they hold.
const TRANSPORT_FILES: &[&str] = &[
    "README.md",
    "src/config.rs",
    "src/error.rs",
    "src/lib.rs",
    "src/publisher.rs",
    "src/subscriber.rs",
    "src/wire.rs",
    "tests/conformance.rs",
];

/// In process values move: there is no wire and no foreign error to map.
const IN_PROCESS: (&str, &[&str]) = ("flux-mem", &["src/error.rs", "src/wire.rs"]);

/// The count of members looked at, and what is wrong with them.
pub(crate) fn check(workspace: &Workspace, tree: &Tree) -> (usize, Vec<String>) {
    let mut complaints = Vec::new();
    for package in &workspace.packages {
        complaints.extend(lints(package, tree));
        if package.is_published() {
            complaints.extend(readme(package, tree));
        }
        if package.is_transport() {
            complaints.extend(file_set(package, tree));
        }
    }
    (workspace.packages.len(), complaints)
}

fn lints(package: &Package, tree: &Tree) -> Option<String> {
    let path = format!("{}/Cargo.toml", package.relative_folder());
    let inherits = tree.text(&path).is_some_and(inherits_lints);
    (!inherits).then(|| format!("{path}: add `[lints]` with `workspace = true`"))
}

fn inherits_lints(manifest: &str) -> bool {
    let Ok(table) = manifest.parse::<toml::Table>() else {
        return false;
    };
    let inherited = table.get("lints").and_then(|lints| lints.get("workspace"));
    inherited.and_then(toml::Value::as_bool) == Some(true)
}

fn readme(package: &Package, tree: &Tree) -> Vec<String> {
    let folder = package.relative_folder();
    let mut complaints = Vec::new();
    if !tree.contains(&format!("{folder}/README.md")) {
        complaints.push(format!("{folder}: write README.md, the page that the registry shows"));
    }
    let lib = format!("{folder}/src/lib.rs");
    if tree.text(&lib).is_some_and(|text| !text.contains(README_IS_DOC)) {
        complaints.push(format!("{lib}: add `#![{README_IS_DOC}]`, so that the README compiles"));
    }
    complaints
}

fn file_set(package: &Package, tree: &Tree) -> Vec<String> {
    let folder = package.relative_folder();
    let (exempt, files) = IN_PROCESS;
    let missing = TRANSPORT_FILES.iter().filter(|file| {
        let excused = package.name == exempt && files.contains(file);
        !excused && !tree.contains(&format!("{folder}/{file}"))
    });
    let complain = |file| format!("{folder}: a transport has {file}; all have the same files");
    missing.map(complain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;
    use crate::workspace::root;
    use crate::workspace::tests::workspace;

    fn member(name: &str) -> Workspace {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        let path = serde_json::to_string(&manifest).unwrap();
        workspace(&format!(r#"{{"name": "{name}", "manifest_path": {path}}}"#))
    }

    #[test]
    fn a_whole_member_passes() {
        let tree = tree(&[
            ("crates/a/Cargo.toml", "[lints]\nworkspace = true\n"),
            ("crates/a/README.md", "# a\n"),
            ("crates/a/src/lib.rs", README_IS_DOC),
        ]);
        assert_eq!(check(&member("a"), &tree), (1, vec![]));
    }

    #[test]
    fn each_missing_part_is_named() {
        let tree =
            tree(&[("crates/a/Cargo.toml", "[package]\nworkspace = true\n"), ("crates/a/src/lib.rs", "//! A.\n")]);
        let (_, found) = check(&member("a"), &tree);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("[lints]"));
        assert!(found[1].contains("README.md"));
        assert!(found[2].contains("include_str!"));
    }

    #[test]
    fn lints_are_inherited_by_true_only() {
        assert!(inherits_lints("lints.workspace = true"));
        assert!(!inherits_lints("[lints]\nworkspace = false"));
        assert!(!inherits_lints("not toml"));
    }

    #[test]
    fn a_transport_has_the_file_set() {
        let nats = member("flux-nats");
        let found = file_set(&nats.packages[0], &tree(&[]));
        assert_eq!(found.len(), TRANSPORT_FILES.len());
        let mem = member("flux-mem");
        let found = file_set(&mem.packages[0], &tree(&[("crates/flux-mem/README.md", "")]));
        assert_eq!(found.len(), TRANSPORT_FILES.len() - 3);
    }
}
