//! What a machine can check of how the repository looks (STYLE: Layout).

use crate::failure::Failure;
use crate::step::{Checked, Outcome};
use crate::tree::Tree;
use crate::workspace::Workspace;
use crate::{decisions, links, manifests, sources};

/// The step.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let tree = Tree::load()?;
    let sources = tree.files.iter().flat_map(sources::check).collect();
    let parts = [
        ("files", (tree.files.len(), sources)),
        ("members", manifests::check(workspace, &tree)),
        ("decisions", decisions::check(&tree)),
        ("relative links", links::check(&tree)),
    ];
    let mut count = 0;
    let mut complaints = Vec::new();
    for (what, (checked, found)) in parts {
        if checked == 0 {
            complaints.push(format!("found no {what} to check; run it in a whole clone"));
        }
        count += checked;
        complaints.extend(found);
    }
    Failure::unless_empty(complaints)?;
    Ok(Checked { count, what: "files, members, decisions and links" })
}
