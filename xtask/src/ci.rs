//! Which steps make up `check` and `ci`.

use crate::step::Step;
use crate::{budget, clippy, deny, doc, docs, examples, features, floors, fmt, fuzz, scrape, template, tidy};

/// What to run before a commit; under a minute when warm.
pub(crate) const CHECK: &[Step] =
    &[step("fmt", fmt::run), step("floors", floors::run), step("tidy", tidy::run), step("clippy", clippy::run)];

/// Everything that is not a test, the quick steps first.
pub(crate) const CI: &[Step] = &[
    step("fmt", fmt::run),
    step("floors", floors::run),
    step("tidy", tidy::run),
    step("clippy", clippy::run),
    step("features", features::run),
    step("doc", doc::run),
    step("deny", deny::run),
    step("template", template::run),
    step("docs", docs::check),
    step("fuzz", fuzz::run),
    step("examples", examples::run),
    step("scrape", scrape::run),
    step("budget", budget::run),
];

/// The step of that name.
pub(crate) fn find(name: &str) -> Option<Step> {
    CI.iter().find(|step| step.name == name).copied()
}

const fn step(name: &'static str, run: fn(&crate::workspace::Workspace) -> crate::step::Outcome) -> Step {
    Step { name, run }
}
