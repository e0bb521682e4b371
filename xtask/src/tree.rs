//! The files of the repository, tracked or about to be.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::failure::Failure;
use crate::workspace;

/// The files that git knows or would add, sorted by path.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    paths: BTreeSet<String>,
}

/// One file; `text` is absent where it is no UTF-8, or belongs to the file that a link points to.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: Option<String>,
}

impl Tree {
    /// Reads the working copy.
    pub(crate) fn load() -> Result<Self, Failure> {
        let mut files = Vec::new();
        for path in list()?.lines() {
            let place = workspace::root().join(path);
            // A file that is deleted but not yet staged is still listed.
            if let Ok(bytes) = fs::read(&place) {
                let text = String::from_utf8(bytes).ok().filter(|_| !place.is_symlink());
                files.push(File { path: path.to_owned(), text });
            }
        }
        Ok(Self::new(files))
    }

    fn new(mut files: Vec<File>) -> Self {
        // git lists new files last.
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let mut paths = BTreeSet::new();
        for file in &files {
            let folders = file.path.match_indices('/').map(|(end, _)| &file.path[..end]);
            paths.extend(folders.map(str::to_owned));
            paths.insert(file.path.clone());
        }
        Self { files, paths }
    }

    /// Whether that file or folder is part of the repository.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// The text of that file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        let file = self.files.iter().find(|file| file.path == path)?;
        file.text.as_deref()
    }
}

impl File {
    /// The last part of its path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether its name ends so.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        self.name().rsplit_once('.').is_some_and(|(_, found)| found == extension)
    }
}

fn list() -> Result<String, Failure> {
    let args = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(args).current_dir(workspace::root()).output();
    let output = output.map_err(|error| format!("cannot run git: {error}; install it"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("git lists no files: {}; work in a clone", stderr.trim()).into());
    }
    String::from_utf8(output.stdout).map_err(|_| "a path is no UTF-8; rename that file".into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A tree of these paths and texts.
    pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: Some((*text).to_owned()) };
        Tree::new(files.iter().map(file).collect())
    }

    #[test]
    fn files_that_are_new_are_in_their_place() {
        let tree = tree(&[("b", ""), ("c", ""), ("a", "")]);
        let names: Vec<_> = tree.files.iter().map(File::name).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn a_tree_knows_its_folders() {
        let tree = tree(&[("docs/decisions/0001-a.md", "")]);
        for path in ["docs", "docs/decisions", "docs/decisions/0001-a.md"] {
            assert!(tree.contains(path), "{path}");
        }
        assert!(!tree.contains("docs/decision"));
    }
}
