//! The names in the dashboard and on the page are those that flux reports: a query that falls back to 0 would hide one that is misspelt.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

const DASHBOARD: &str = include_str!("../../../docs/telemetry-dashboard.json");
const PAGE: &str = include_str!("../../../docs/telemetry.md");
const SEMCONV: &str = include_str!("../../../crates/flux-core/src/telemetry/semconv.rs");

/// What the queries use of Prometheus's own.
const PROMQL: [&str; 9] = ["by", "histogram_quantile", "increase", "le", "max", "or", "rate", "sum", "vector"];

/// Each name of `semconv` and what is said of it there; a metric says which kind it is.
fn semconv() -> BTreeMap<&'static str, String> {
    let (mut names, mut said) = (BTreeMap::new(), String::new());
    for line in SEMCONV.lines() {
        if let Some(text) = line.strip_prefix("/// ") {
            said.push_str(text);
        } else if let Some((_, value)) = line.strip_prefix("pub const ").and_then(|rest| rest.split_once(": &str = \""))
        {
            names.insert(value.trim_end_matches("\";"), std::mem::take(&mut said));
        } else {
            said.clear();
        }
    }
    names.retain(|name, _| !name.starts_with("https:"));
    names
}

fn is_metric(said: &str) -> bool {
    ["counter", "gauge", "histogram"].iter().any(|kind| said.contains(&format!(" a {kind}")))
}

/// Metrics and attributes as Prometheus has them.
fn prometheus() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for (name, said) in semconv() {
        let mut metric = name.replace('.', "_");
        if !is_metric(&said) || said.contains("as an attribute") {
            known.insert(metric.clone());
        }
        if said.contains("in seconds") {
            metric.push_str("_seconds");
        }
        if said.contains("a counter") {
            known.insert(metric + "_total");
        } else if said.contains("a histogram") {
            known.extend(["_bucket", "_count", "_sum"].map(|part| format!("{metric}{part}")));
        } else if said.contains("a gauge") {
            known.insert(metric);
        }
    }
    known
}

/// The words of a query; what is quoted is a label's value, and what begins with a digit a number or a time.
fn words(query: &str) -> Vec<&str> {
    let outside = query.split('"').step_by(2);
    let words = outside.flat_map(|part| part.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_'));
    words.filter(|word| word.starts_with(|first: char| first.is_ascii_alphabetic())).collect()
}

#[derive(Deserialize)]
struct Dashboard {
    panels: Vec<Panel>,
}

#[derive(Deserialize)]
struct Panel {
    targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    expr: String,
    legend_format: String,
}

/// The queries, and the legends that name labels.
fn queries() -> Vec<String> {
    let dashboard: Dashboard = serde_json::from_str(DASHBOARD).unwrap();
    let mut queries = Vec::new();
    for target in dashboard.panels.into_iter().flat_map(|panel| panel.targets) {
        queries.push(target.expr);
        queries.extend(Some(target.legend_format).filter(|legend| legend.contains("{{")));
    }
    assert!(queries.len() > 20, "{queries:?}");
    let blocks = PAGE.split("```promql\n").skip(1).filter_map(|rest| rest.split("```").next());
    queries.extend(blocks.map(str::to_owned));
    queries
}

#[test]
fn queries_ask_for_what_there_is() {
    let known = prometheus();
    for query in queries() {
        for word in words(&query) {
            assert!(
                known.contains(word) || PROMQL.contains(&word),
                "`{word}` of {query} is not reported by flux: {known:#?}"
            );
        }
    }
}

#[test]
fn labels_have_values_that_there_are() {
    let mut values = 0;
    for query in queries() {
        let parts: Vec<_> = query.split('"').collect();
        for pair in parts.chunks_exact(2) {
            let [before, value] = pair else { continue };
            let label = words(before.trim_end_matches('=')).last().copied().unwrap_or_default();
            let known = semconv()
                .into_iter()
                .any(|(name, said)| name.replace('.', "_") == label && said.contains(&format!("`{value}`")));
            assert!(known, "`{value}` of {query} is not said of `{label}`");
            values += 1;
        }
    }
    assert!(values > 0, "that of slow consumers");
}

/// The names between backticks; one that begins with a dot is below the group of the one before it.
fn quoted(cell: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in cell.split('`').skip(1).step_by(2) {
        let group = names.last().map(|last| last.split('.').take(2).collect::<Vec<_>>().join("."));
        names.push(if name.starts_with('.') { group.unwrap_or_default() + name } else { name.to_owned() });
    }
    names
}

#[test]
fn the_page_lists_all_metrics_and_none_that_are_not() {
    let (_, rest) = PAGE.split_once("| metric | what it counts | attributes |\n").unwrap();
    let (_, rows) = rest.split_once('\n').unwrap();
    let semconv = semconv();
    let mut listed = BTreeSet::new();
    for row in rows.lines().take_while(|line| line.starts_with('|')) {
        let [_, metrics, _, attributes, _] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
        listed.extend(quoted(metrics));
        for attribute in quoted(attributes) {
            assert!(semconv.contains_key(attribute.as_str()), "`{attribute}` of {row}");
        }
    }
    let metrics = semconv.iter().filter(|(_, said)| is_metric(said)).map(|(name, _)| (*name).to_owned());
    assert_eq!(listed, metrics.collect());
}
