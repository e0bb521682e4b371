//! What a crate must not depend on, whatever its floor (DESIGN: the invariants of the floors).

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::workspace::{Package, Workspace};

/// All that flux-core may need, and which of it must be optional.
const CORE_NEEDS: &[(&str, bool)] =
    &[("bytes", false), ("futures-core", false), ("opentelemetry", true), ("pin-project-lite", false)];

/// The crates that may know more than one transport by name.
const KNOW_ALL: &[&str] = &["flux", "flux-cli"];

/// The crates that run without tokio, so that other runtimes can use them, and with which features they do.
const WITHOUT_TOKIO: &[(&str, Features)] = &[
    ("flux-core", Features::All),
    ("flux-codec", Features::All),
    ("flux-stage", Features::These("concurrent,messaging,observe,stream,tower")),
];

/// Features of a crate.
#[derive(Clone, Copy)]
enum Features {
    All,
    These(&'static str),
}

impl Features {
    fn args(self) -> Vec<&'static str> {
        match self {
            Self::All => vec!["--all-features"],
            Self::These(names) => vec!["--no-default-features", "--features", names],
        }
    }
}

/// A number of things looked at and what is wrong with them.
type Found = Result<(usize, Vec<String>), Failure>;

/// What the manifests say.
pub(crate) fn direct(workspace: &Workspace) -> Found {
    let (mut count, mut complaints) = core(workspace)?;
    let transports: Vec<&str> = workspace.transports().map(|package| &*package.name).collect();
    for package in workspace.published() {
        count += 1;
        complaints.extend(knows_too_many(package, &transports));
    }
    Ok((count, complaints))
}

/// What cargo resolves.
pub(crate) fn transitive(workspace: &Workspace) -> Found {
    let mut count = 0;
    let mut complaints = Vec::new();
    for (name, features) in WITHOUT_TOKIO {
        if workspace.member(name).is_none() {
            return Err(format!("{name} is no member: bring it back or mend xtask's list").into());
        }
        let names = tree(name, *features)?;
        count += names.len();
        if names.iter().any(|name| name == "tokio") {
            let features = features.args().join(" ");
            complaints.push(format!(
                "{name} pulls in tokio; `cargo tree -p {name} {features} -e normal -i tokio` shows the way: cut it"
            ));
        }
    }
    Ok((count, complaints))
}

fn core(workspace: &Workspace) -> Found {
    let Some(core) = workspace.member("flux-core") else {
        return Err("flux-core is no member: bring it back or mend xtask's list".into());
    };
    let shipped: Vec<_> = core.shipped_dependencies().collect();
    let mut complaints = Vec::new();
    for dependency in &shipped {
        let name = dependency.name.as_str();
        let complaint = match CORE_NEEDS.iter().find(|(allowed, _)| *allowed == name) {
            None => format!("flux-core depends on {name}, which is not on its short list: leave it to a higher floor"),
            Some((_, true)) if !dependency.optional => {
                format!("flux-core always builds {name}; make it `optional = true` behind its feature")
            }
            Some(_) => continue,
        };
        complaints.push(complaint);
    }
    Ok((shipped.len(), complaints))
}

fn knows_too_many(package: &Package, transports: &[&str]) -> Option<String> {
    let name = package.name.as_str();
    let known: Vec<&str> = package
        .shipped_dependencies()
        .map(|dependency| dependency.name.as_str())
        .filter(|name| transports.contains(name))
        .collect();
    (known.len() > 1 && !KNOW_ALL.contains(&name)).then(|| {
        format!(
            "{name} depends on the transports {}; only {} may know more than one: take the \
             traits of flux-core instead",
            known.join(", "),
            KNOW_ALL.join(" and ")
        )
    })
}

/// The crates that a user of `package` with these features builds on any platform, `package` among them.
fn tree(package: &str, features: Features) -> Result<Vec<String>, Failure> {
    let args = "tree --edges=normal --target=all --prefix=none --format={p} -p";
    let output = Cargo::new(args.split(' ')).args([package]).args(features.args()).output()?;
    let name = |line: &str| line.split(' ').next().map(str::to_owned);
    Ok(output.lines().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::workspace;

    fn core_with(dependency: &str) -> Vec<String> {
        let package = format!(r#"{{"name": "flux-core", "manifest_path": "", "dependencies": [{dependency}]}}"#);
        core(&workspace(&package)).unwrap().1
    }

    #[test]
    fn core_refuses_a_stranger() {
        let found = core_with(r#"{"name": "tokio", "kind": null}"#);
        assert!(found[0].contains("flux-core depends on tokio"));
        assert!(core_with(r#"{"name": "bytes", "kind": null}"#).is_empty());
        assert!(core_with(r#"{"name": "tokio", "kind": "dev"}"#).is_empty());
    }

    #[test]
    fn core_leaves_telemetry_out_on_request() {
        let found = core_with(r#"{"name": "opentelemetry", "kind": null}"#);
        assert!(found[0].contains("optional = true"));
        assert!(core_with(r#"{"name": "opentelemetry", "kind": null, "optional": true}"#).is_empty());
    }

    #[test]
    fn a_workspace_without_core_is_a_failure() {
        assert!(core(&workspace("")).is_err());
        assert!(transitive(&workspace("")).is_err());
    }

    #[test]
    fn only_the_facade_knows_two_transports() {
        let package = |name: &str| {
            workspace(&format!(
                r#"{{"name": "{name}", "manifest_path": "",
                    "dependencies": [{{"name": "flux-mem"}}, {{"name": "flux-nats"}}]}}"#
            ))
        };
        let known = ["flux-mem", "flux-nats"];
        let router = package("flux-router");
        let facade = package("flux");
        assert!(knows_too_many(&router.packages[0], &known).is_some());
        assert!(knows_too_many(&router.packages[0], &known[..1]).is_none());
        assert!(knows_too_many(&facade.packages[0], &known).is_none());
    }
}
