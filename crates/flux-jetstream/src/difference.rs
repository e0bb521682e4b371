//! Compares what is declared with what is there, field by field.

use std::collections::BTreeSet;
use std::fmt;

use flux_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde_json::{Map, Value};

/// A field in which a stream or consumer differs from what the program declares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The field's name, as in the server's API.
    pub field: String,
    /// What the program declares, as JSON.
    pub declared: String,
    /// What is there, as JSON.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}, declared is {}", self.field, self.found, self.declared)
    }
}

/// The fields in which the two differ.
pub(crate) fn differences(declared: &impl Serialize, found: &impl Serialize) -> Result<Vec<Difference>> {
    let (declared, found) = (fields(declared)?, fields(found)?);
    let names: BTreeSet<_> = declared.keys().chain(found.keys()).collect();
    let differs = |name: &&&String| declared.get(**name) != found.get(**name);
    let text = |value: Option<&Value>| value.map_or_else(|| "not set".to_owned(), Value::to_string);
    let difference = |name: &String| Difference {
        field: name.clone(),
        declared: text(declared.get(name)),
        found: text(found.get(name)),
    };
    Ok(names.iter().filter(differs).map(|name| difference(name)).collect())
}

/// One error that names them all.
pub(crate) fn refuse(what: &str, differences: &[Difference]) -> Error {
    let all: Vec<_> = differences.iter().map(ToString::to_string).collect();
    let text = format!("{what} is not what is declared: {}; nothing was changed", all.join("; "));
    Error::new(ErrorKind::InvalidInput, text)
}

/// Limits for which the server writes -1 or 0 when there is none.
const LIMITS: [&str; 6] =
    ["max_msgs", "max_bytes", "max_consumers", "max_msg_size", "max_msgs_per_subject", "max_deliver"];

/// Fields that say nothing, or what the server decides, are left out.
fn fields(config: &impl Serialize) -> Result<Map<String, Value>> {
    let value = serde_json::to_value(config).map_err(crate::error::unreadable)?;
    let Value::Object(mut fields) = value else { return Ok(Map::new()) };
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        metadata.retain(|key, _| !key.starts_with("_nats."));
    }
    // An ephemeral consumer's name is the server's, a durable one's stands in `durable_name`; streams have no such field.
    if fields.contains_key("ack_policy") {
        fields.remove("name");
        if fields.get("max_waiting") == Some(&Value::from(512)) {
            fields.remove("max_waiting");
        }
    }
    // Of a mirror of a stream in the same account, the server decides by that stream.
    if fields.get("mirror").is_some_and(|mirror| mirror.is_object() && mirror.get("external").is_none()) {
        fields.remove("mirror_direct");
    }
    // One filter may stand in either field.
    if let Some(filter) = fields.remove("filter_subject")
        && !says_nothing(&filter)
    {
        fields.insert("filter_subjects".into(), Value::Array(vec![filter]));
    }
    fields.retain(|name, value| {
        prune(value);
        let no_limit = LIMITS.contains(&name.as_str()) && value.as_i64() == Some(-1);
        !no_limit && !says_nothing(value)
    });
    Ok(fields)
}

fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(prune);
            fields.retain(|_, value| !says_nothing(value));
        }
        Value::Array(values) => values.iter_mut().for_each(prune),
        _ => {}
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || text == "none",
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_server_fills_in_is_no_difference() {
        let declared = json!({"name": "a", "max_msgs": 0, "metadata": {"team": "x"}, "compression": "none"});
        let found =
            json!({"name": "a", "max_msgs": -1, "metadata": {"team": "x", "_nats.level": "1"}, "sealed": false});
        assert_eq!(differences(&declared, &found).expect("objects"), []);
    }

    #[test]
    fn each_difference_is_named_with_both_values() {
        let declared = json!({"max_age": 5, "subjects": ["a.>"], "storage": "file"});
        let found = json!({"max_age": 7, "subjects": ["a.>"], "deny_purge": true, "storage": "file"});
        let found = differences(&declared, &found).expect("objects");
        let text = refuse("stream `a`", &found).to_string();
        assert!(text.contains("`deny_purge` is true, declared is not set; `max_age` is 7, declared is 5"), "{text}");
    }

    #[test]
    fn one_filter_may_stand_in_either_field() {
        let declared = json!({"filter_subject": "a.*"});
        assert_eq!(differences(&declared, &json!({"filter_subjects": ["a.*"]})).expect("objects"), []);
        assert_eq!(differences(&declared, &json!({"filter_subjects": ["b.*"]})).expect("objects").len(), 1);
    }
}
