//! Rules about links in Markdown: a relative one points to a file of the repository.

use crate::tree::{File, Tree};

/// The count of relative links, and those that lead nowhere.
pub(crate) fn check(tree: &Tree) -> (usize, Vec<String>) {
    let mut count = 0;
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.has_extension("md")) {
        for target in relative(file.text.as_deref().unwrap_or_default()) {
            count += 1;
            if !resolve(file, &target).is_some_and(|path| tree.contains(&path)) {
                complaints.push(format!("{}: the link to {target} leads to no file; mend or cut it", file.path));
            }
        }
    }
    (count, complaints)
}

/// The targets that name a file, without their anchors.
fn relative(markdown: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut in_code = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            targets.extend(inline(line).into_iter().chain(definition(line)));
        }
    }
    let path = |target: String| target.split('#').next().map(str::to_owned);
    targets.into_iter().filter_map(path).filter(|path| is_path(path)).collect()
}

/// The targets of `[text](target)` outside of code.
fn inline(line: &str) -> Vec<String> {
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let target = |rest: &str| rest.split([')', ' ']).next().map(str::to_owned);
    prose.split("](").skip(1).filter_map(target).collect()
}

/// The target of `[label]: target`.
fn definition(line: &str) -> Option<String> {
    let (label, target) = line.split_once("]: ")?;
    let is_label = label.starts_with('[') && !label.contains(' ');
    is_label.then(|| target.trim().to_owned())
}

/// Tells a path from a web address, and from an item's name as rustdoc links it.
fn is_path(target: &str) -> bool {
    let elsewhere = target.contains(':') || target.starts_with('/');
    !elsewhere && (target.contains('.') || target.contains('/'))
}

/// The path from the root, or none when the link climbs out of the repository.
fn resolve(file: &File, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.path.split('/').collect();
    parts.pop();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn dead(markdown: &str) -> usize {
        let tree = tree(&[("docs/a.md", markdown), ("README.md", "")]);
        check(&tree).1.len()
    }

    #[test]
    fn a_link_to_a_file_or_folder_passes() {
        let text = "[up](../README.md#top), [self](a.md), [folder](../docs/)\n\n[x]: ./a.md\n";
        let tree = tree(&[("docs/a.md", text), ("README.md", "")]);
        assert_eq!(check(&tree), (4, vec![]));
    }

    #[test]
    fn a_link_to_nothing_fails() {
        for text in ["[a](gone.md)", "[a](../../out.md)", "[a](README.md)", "[a]: gone.md"] {
            assert_eq!(dead(text), 1, "{text}");
        }
    }

    #[test]
    fn code_addresses_and_items_are_no_links() {
        let cases = [
            "`[a](gone.md)`",
            "```\n[a](gone.md)\n```",
            "[a](https://example.com/gone.md)",
            "[a](flux_core::Message)",
            "[a](#part)",
            "[a](Message)",
        ];
        for text in cases {
            assert_eq!(dead(text), 0, "{text}");
        }
    }
}
