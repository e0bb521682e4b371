//! The files of a new transport, the same as every other transport's, with a suite that fails.

use std::fs;
use std::path::Path;

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::workspace;

/// The files of a transport and their templates.
const TEMPLATES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../templates/transport/Cargo.toml")),
    ("README.md", include_str!("../templates/transport/README.md")),
    ("src/config.rs", include_str!("../templates/transport/src/config.rs")),
    ("src/error.rs", include_str!("../templates/transport/src/error.rs")),
    ("src/lib.rs", include_str!("../templates/transport/src/lib.rs")),
    ("src/publisher.rs", include_str!("../templates/transport/src/publisher.rs")),
    ("src/subscriber.rs", include_str!("../templates/transport/src/subscriber.rs")),
    ("src/transport.rs", include_str!("../templates/transport/src/transport.rs")),
    ("src/wire.rs", include_str!("../templates/transport/src/wire.rs")),
    ("tests/conformance.rs", include_str!("../templates/transport/tests/conformance.rs")),
];

/// Writes `crates/flux-<name>`.
pub(crate) fn run(name: &str) -> Result<(), Failure> {
    write(&workspace::root().join("crates"), name)?;
    // A long name breaks lines that a short one leaves alone.
    Cargo::new(["fmt", "-p", &format!("flux-{name}")]).run()?;
    println!("wrote crates/flux-{name}; see what its suite asks for: cargo xtask conform {name}");
    Ok(())
}

/// Writes the folder `flux-<name>` into `parent`, which must not have one.
pub(crate) fn write(parent: &Path, name: &str) -> Result<(), Failure> {
    check(name)?;
    let folder = parent.join(format!("flux-{name}"));
    if folder.exists() {
        return Err(format!("{} exists; choose another name", folder.display()).into());
    }
    for (file, template) in TEMPLATES {
        let path = folder.join(file);
        let parent = path.parent().unwrap_or(&folder);
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, render(template, name)));
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

fn check(name: &str) -> Result<(), Failure> {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if name.split('-').all(is_part) {
        Ok(())
    } else {
        Err(format!("`{name}` is no name for a crate: write it as `kafka` or `redis-streams`, without `flux-`").into())
    }
}

/// Puts the name in: `redis-streams`, as a path `redis_streams`, as a type `RedisStreams`.
fn render(template: &str, name: &str) -> String {
    let pairs = [("{{name}}", name.to_owned()), ("{{name_}}", name.replace('-', "_")), ("{{Name}}", camel(name))];
    let put = |text: String, (mark, value): &(&str, String)| text.replace(mark, value);
    pairs.iter().fold(template.to_owned(), put)
}

fn camel(name: &str) -> String {
    let capital = |part: &str| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    name.split('-').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources;
    use crate::tree::File;

    #[test]
    fn a_name_is_written_in_three_ways() {
        let text = render("{{name}} {{name_}} {{Name}}", "redis-streams");
        assert_eq!(text, "redis-streams redis_streams RedisStreams");
    }

    #[test]
    fn bad_names_are_refused() {
        for name in ["", "Kafka", "kafka_x", "-kafka", "kafka-", "9p", "../kafka"] {
            assert!(check(name).is_err(), "{name}");
        }
        assert!(check("redis-streams2").is_ok());
    }

    #[test]
    fn what_is_written_is_tidy_and_whole() {
        for (path, template) in TEMPLATES {
            let text = render(template, "redis-streams");
            assert!(!text.contains("{{"), "{path}");
            let file = File { path: format!("crates/flux-redis-streams/{path}"), text: Some(text) };
            assert_eq!(sources::check(&file), Vec::<String>::new());
        }
    }
}
