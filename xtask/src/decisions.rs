//! Rules about the decisions in `docs/decisions`: numbered without gaps, each with its three parts.

use crate::tree::{File, Tree};

const FOLDER: &str = "docs/decisions/";
const HEADINGS: &[&str] = &["## Context", "## Decision", "## Cost"];

/// The count of decisions, and what is wrong with them.
pub(crate) fn check(tree: &Tree) -> (usize, Vec<String>) {
    let is_decision = |file: &&File| file.path.starts_with(FOLDER) && file.name() != "README.md";
    let decisions: Vec<&File> = tree.files.iter().filter(is_decision).collect();
    let mut complaints = Vec::new();
    for (index, file) in decisions.iter().enumerate() {
        complaints.extend(number(file, index + 1));
        complaints.extend(headings(file));
    }
    (decisions.len(), complaints)
}

fn number(file: &File, expected: usize) -> Option<String> {
    let lead = format!("{expected:04}-");
    (!file.name().starts_with(&lead))
        .then(|| format!("{}: the next number is {lead}; close the gap or the double", file.path))
}

fn headings(file: &File) -> Option<String> {
    let text = file.text.as_deref().unwrap_or_default();
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
    let mut rest = found.iter();
    let in_order = HEADINGS.iter().all(|heading| rest.any(|line| line == heading));
    (!in_order).then(|| format!("{}: give it the headings {}", file.path, HEADINGS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    const WHOLE: &str = "# A\n\n## Context\n\n## Decision\n\n## Cost\n";

    #[test]
    fn whole_decisions_pass() {
        let tree = tree(&[("docs/decisions/0001-a.md", WHOLE), ("docs/decisions/0002-b.md", WHOLE)]);
        assert_eq!(check(&tree), (2, vec![]));
    }

    #[test]
    fn a_gap_a_double_and_a_nameless_file_fail() {
        for second in ["0003-b.md", "0001-b.md", "notes.md"] {
            let path = format!("docs/decisions/{second}");
            let tree = tree(&[("docs/decisions/0001-a.md", WHOLE), (&path, WHOLE)]);
            assert_eq!(check(&tree).1.len(), 1, "{second}");
        }
    }

    #[test]
    fn a_missing_or_misplaced_part_fails() {
        for text in ["# A\n", "## Context\n## Decision\n", "## Cost\n## Decision\n## Context\n"] {
            let tree = tree(&[("docs/decisions/0001-a.md", text)]);
            assert!(check(&tree).1[0].contains("## Cost"), "{text}");
        }
    }
}
