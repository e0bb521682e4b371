//! The table of guarantees, as Markdown.

use crate::report::Report;

/// What stands in a column of which a transport says nothing.
const SILENT: &str = "–";

/// One row for each report; the columns come in the order in which reports first name them.
pub(crate) fn render(reports: &[Report]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for (name, _) in reports.iter().flat_map(|report| &report.capabilities.0) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    let mut table = row("transport", columns.iter().copied());
    table.push_str(&row("---", columns.iter().map(|_| "---")));
    for report in reports {
        let cells = columns.iter().map(|column| cell(report, column));
        table.push_str(&row(&report.transport, cells));
    }
    table
}

fn cell<'a>(report: &'a Report, column: &str) -> &'a str {
    let found = report.capabilities.0.iter().find(|(name, _)| name == column);
    found.map_or(SILENT, |(_, value)| value)
}

fn row<'a>(first: &'a str, rest: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = std::iter::once(first).chain(rest).map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_united_and_gaps_are_shown() {
        let report = |transport: &str, capabilities: &str| -> Report {
            let text = format!(
                r#"{{"transport": "{transport}", "capabilities": {capabilities},
                    "passed": [], "failed": []}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let reports = [report("a", r#"{"settle": "yes"}"#), report("b", r#"{"settle": "no", "pull": "a | b"}"#)];
        assert_eq!(
            render(&reports),
            "| transport | settle | pull |\n\
             | --- | --- | --- |\n\
             | a | yes | – |\n\
             | b | no | a \\| b |\n"
        );
    }
}
