//! The floors of the house: a published crate depends only on crates of lower floors.

use crate::dependencies;
use crate::failure::Failure;
use crate::step::{Checked, Outcome};
use crate::workspace::{Package, Workspace};

/// The step.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let (mut count, mut complaints) = survey(workspace);
    for rule in [dependencies::direct, dependencies::transitive] {
        let (more, found) = rule(workspace)?;
        count += more;
        complaints.extend(found);
    }
    Failure::unless_empty(complaints)?;
    Ok(Checked { count, what: "edges and dependencies" })
}

/// Looks at each edge between members; the count is of edges and of crates that stand alone.
fn survey(workspace: &Workspace) -> (usize, Vec<String>) {
    let mut count = 0;
    let mut complaints = Vec::new();
    for package in workspace.published() {
        let Some(floor) = package.floor() else {
            complaints.push(no_floor(package));
            continue;
        };
        count += 1;
        for dependency in package.shipped_dependencies() {
            if let Some(member) = workspace.member(&dependency.name) {
                count += 1;
                complaints.extend(edge(package, floor, member));
            }
        }
    }
    (count, complaints)
}

fn no_floor(package: &Package) -> String {
    format!(
        "{} stands on no floor; add `[package.metadata.flux]` with `floor = n` to {}/Cargo.toml, \
         or `publish = false`",
        package.name,
        package.relative_folder()
    )
}

fn edge(from: &Package, floor: u8, to: &Package) -> Option<String> {
    if !to.is_published() {
        return Some(format!(
            "{} is published and depends on {}, which is not; make it a dev-dependency",
            from.name, to.name
        ));
    }
    let below = to.floor()?;
    (below >= floor).then(|| {
        format!(
            "{} (floor {floor}) depends on {} (floor {below}); an edge goes down: move what both \
             need to a lower crate, or the edge to dev-dependencies",
            from.name, to.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::workspace;

    fn complaints(packages: &str) -> Vec<String> {
        survey(&workspace(packages)).1
    }

    const CORE: &str = r#"{"name": "core", "manifest_path": "", "metadata": {"flux": {"floor": 1}}}"#;

    fn on_core(floor: u8, kind: &str) -> String {
        format!(
            r#"{CORE}, {{"name": "top", "manifest_path": "", "metadata": {{"flux": {{"floor": {floor}}}}},
                "dependencies": [{{"name": "core", "kind": {kind}}}]}}"#
        )
    }

    #[test]
    fn an_edge_down_is_counted_and_passes() {
        let (count, complaints) = survey(&workspace(&on_core(2, "null")));
        assert_eq!((count, complaints), (3, vec![]));
    }

    #[test]
    fn an_edge_on_one_floor_fails() {
        let found = complaints(&on_core(1, "null"));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("top (floor 1) depends on core (floor 1)"));
    }

    #[test]
    fn an_edge_up_fails_also_for_build_scripts() {
        assert_eq!(complaints(&on_core(0, r#""build""#)).len(), 1);
    }

    #[test]
    fn a_dev_dependency_may_go_up() {
        assert_eq!(complaints(&on_core(0, r#""dev""#)), Vec::<String>::new());
    }

    #[test]
    fn a_missing_floor_fails() {
        for metadata in ["null", r#"{"docs": {}}"#, r#"{"flux": {}}"#] {
            let package = format!(r#"{{"name": "a", "manifest_path": "", "metadata": {metadata}}}"#);
            let found = complaints(&package);
            assert!(found[0].contains("stands on no floor"), "{metadata}");
        }
    }

    #[test]
    fn an_unpublished_crate_needs_no_floor_and_carries_nobody() {
        let bench = r#"{"name": "core", "manifest_path": "", "publish": []}"#;
        assert_eq!(complaints(bench), Vec::<String>::new());
        let edge = on_core(2, "null").replace(CORE, bench);
        assert!(complaints(&edge)[0].contains("is published and depends on core"));
    }
}
