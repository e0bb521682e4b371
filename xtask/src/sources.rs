//! Rules about one file: its name, its first line, its length and words that must not stay.

use crate::tree::File;

/// A file longer than this, tests apart, holds more than one noun.
const LINES_MAX: usize = 500;

/// Names that say nothing about what a file holds.
const EMPTY_NAMES: &[&str] = &["common.rs", "helper.rs", "helpers.rs", "misc.rs", "mod.rs", "util.rs", "utils.rs"];

// The words below are spelled in two halves, or this file would break its own rule.

/// Marks of work that was put off.
const UNFINISHED: &[&str] =
    &[concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME"), concat!("#[ign", "ore")];

/// Hosts of package registries: a mirror or another registry must do as well.
const REGISTRY_HOSTS: &[&str] = &[
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("deb.debian", ".org"),
];

/// Folders of one machine, which the next one lacks.
const MACHINE_FOLDERS: &[&str] =
    &[concat!("/", "tmp"), concat!("/", "root"), concat!("/", "work"), concat!("/", "home")];

/// Everything wrong with one file, each with its line and fix.
pub(crate) fn check(file: &File) -> Vec<String> {
    let mut complaints = Vec::new();
    if EMPTY_NAMES.contains(&file.name()) {
        complaints.push(format!("{}: name it by the one noun it holds", file.path));
    }
    let Some(text) = &file.text else {
        return complaints;
    };
    let is_rust = file.has_extension("rs");
    if is_rust {
        complaints.extend(first_line(&file.path, text));
        complaints.extend(length(&file.path, text));
    }
    let is_prose = is_rust || file.has_extension("md") || file.has_extension("toml");
    let mut in_rust = false;
    for (index, line) in text.lines().enumerate() {
        let mut found = Vec::new();
        found.extend(is_rust.then(|| unfinished(line)).flatten());
        found.extend(is_prose.then(|| trailing_space(line)).flatten());
        found.extend((file.name() != "Cargo.lock").then(|| place(line)).flatten());
        if line.starts_with("```") {
            in_rust = !in_rust && line.starts_with("```rust");
        }
        found.extend((file.name() == "README.md" && in_rust).then(|| hidden(line)).flatten());
        let located = |fix| format!("{}:{}: {fix}", file.path, index + 1);
        complaints.extend(found.into_iter().map(located));
    }
    complaints
}

/// A `lib.rs` may begin with its README instead, which is its documentation.
fn first_line(path: &str, text: &str) -> Option<String> {
    let first = text.lines().next().unwrap_or_default();
    let says = first.strip_prefix("//! ").is_some_and(|sentence| !sentence.trim().is_empty());
    let attribute = text.split_once(']').map_or("", |(attribute, _)| attribute);
    let is_readme =
        path.ends_with("/lib.rs") && attribute.starts_with("#![") && attribute.contains("doc = include_str!(");
    (!says && !is_readme).then(|| format!("{path}:1: begin with `//!` and one sentence saying what lives here"))
}

fn length(path: &str, text: &str) -> Option<String> {
    if path.split('/').any(|part| part == "tests" || part == "tests.rs") {
        return None;
    }
    let count = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
    (count > LINES_MAX).then(|| format!("{path}: {count} lines, at most {LINES_MAX}; give a noun its own file"))
}

fn unfinished(line: &str) -> Option<String> {
    let word = UNFINISHED.iter().find(|word| line.contains(**word))?;
    Some(format!("`{word}` is work put off; do it, or file an issue and take it out"))
}

fn trailing_space(line: &str) -> Option<String> {
    (line.trim_end() != line).then(|| "cut the space at the end of the line".to_owned())
}

/// What rustdoc hides, the page of a repository shows.
fn hidden(line: &str) -> Option<String> {
    let line = line.trim_start();
    (line == "#" || line.starts_with("# "))
        .then(|| "only rustdoc hides this line; write an example that can be read whole".to_owned())
}

fn place(line: &str) -> Option<String> {
    if let Some(host) = REGISTRY_HOSTS.iter().find(|host| line.contains(**host)) {
        return Some(format!("{host} is a registry's host; say `the registry`"));
    }
    let folder = MACHINE_FOLDERS.iter().find(|folder| names_folder(line, folder))?;
    Some(format!("{folder} is a path of one machine; take a temporary or relative one"))
}

/// Whether `folder` stands in the line as the beginning of an absolute path.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + folder.len()..].chars().next();
        let part_of_path = |c: char| c.is_alphanumeric() || "_-.*}>)".contains(c);
        let part_of_name = |c: char| c.is_alphanumeric() || "_-".contains(c);
        !before.is_some_and(part_of_path) && !after.is_some_and(part_of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        check(&File { path: path.to_owned(), text: Some(text.to_owned()) })
    }

    #[test]
    fn a_clean_file_passes() {
        let text = "//! Widgets.\n\nfn main() {}\n";
        assert_eq!(complaints("crates/a/src/widget.rs", text), Vec::<String>::new());
    }

    #[test]
    fn a_file_says_what_lives_in_it() {
        for text in ["", "fn main() {}\n", "//!\n", "//! \n", "\n//! Late.\n"] {
            let found = complaints("src/widget.rs", text);
            assert!(found.iter().any(|line| line.contains("begin with")), "{text:?}");
        }
    }

    #[test]
    fn only_a_lib_may_begin_with_its_readme() {
        let text = "#![doc = include_str!(\"../README.md\")]\n";
        let with_json = "#![cfg_attr(\n    feature = \"json\",\n    doc = include_str!(\"../README.md\")\n)]\n";
        for text in [text, with_json] {
            assert_eq!(complaints("crates/a/src/lib.rs", text).len(), 0);
            assert_eq!(complaints("crates/a/src/widget.rs", text).len(), 1);
        }
        assert_eq!(
            complaints("crates/a/src/lib.rs", "#![no_std]\n#![doc = include_str!(\"../README.md\")]\n").len(),
            1
        );
    }

    #[test]
    fn a_readme_hides_nothing() {
        let text = "# Widgets\n\n```rust\n# fn main() {\n    # let a = 1;\n#\n#[test]\n```\n\n# More\n\n```sh\n# not code\n```\n# End\n";
        let found = complaints("crates/a/README.md", text);
        let lines: Vec<_> = found.iter().map(|line| line.split(':').nth(1).unwrap()).collect();
        assert_eq!(lines, ["4", "5", "6"]);
        assert_eq!(complaints("docs/widgets.md", text).len(), 0);
    }

    #[test]
    fn empty_names_fail_anywhere() {
        for name in EMPTY_NAMES {
            let found = complaints(&format!("crates/a/tests/it/{name}"), "//! Things.\n");
            assert!(found[0].contains("one noun"), "{name}");
        }
    }

    #[test]
    fn a_long_file_fails_and_tests_do_not_count() {
        let long = format!("//! Widgets.\n{}", "fn f() {}\n".repeat(LINES_MAX));
        assert!(complaints("src/widget.rs", &long)[0].contains("501 lines"));
        assert_eq!(complaints("crates/a/tests/it/widget.rs", &long).len(), 0);
        let tested = long.replacen("fn f", "#[cfg(test)]\nfn f", 1);
        assert_eq!(complaints("src/widget.rs", &tested).len(), 0);
    }

    #[test]
    fn unfinished_work_fails_in_code() {
        for word in UNFINISHED {
            let text = format!("//! Widgets.\n    {word}\n");
            assert!(complaints("src/widget.rs", &text)[0].starts_with("src/widget.rs:2: "));
        }
    }

    #[test]
    fn registry_hosts_fail_but_for_the_lock_file() {
        for host in REGISTRY_HOSTS {
            assert_eq!(complaints("README.md", host).len(), 1, "{host}");
            assert_eq!(complaints("fuzz/Cargo.lock", host).len(), 0);
        }
    }

    #[test]
    fn machine_paths_fail_and_lookalikes_pass() {
        for folder in MACHINE_FOLDERS {
            for text in [format!("`{folder}/a`"), format!("cd {folder}"), folder.to_string()] {
                assert_eq!(complaints(".ci/run", &text).len(), 1, "{text}");
            }
            for text in [format!("a{folder}/b"), format!("{folder}s/a"), format!("..{folder}")] {
                assert_eq!(complaints(".ci/run", &text).len(), 0, "{text}");
            }
        }
    }

    #[test]
    fn space_at_the_end_of_a_line_fails() {
        assert_eq!(complaints("README.md", "a \n").len(), 1);
        assert_eq!(complaints("expected.stderr", "a \n").len(), 0);
    }
}
