//! Events as one JSON object (JSON event format, 1.0.2).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::attributes::Attributes;

/// The media type of one event.
pub(crate) const MEDIA_TYPE: &str = "application/cloudevents+json";

/// What the media types of all formats begin with.
pub(crate) const FAMILY: &str = "application/cloudevents";

/// Data without a media type is JSON.
const JSON: &str = "application/json";

/// Attributes and data as one object. Data that says it is JSON and is becomes a member as it stands, text a string, and all else
/// base64.
pub(crate) fn write(attributes: &Attributes, data: &Bytes) -> Result<Bytes, serde_json::Error> {
    let content_type = attributes.iter().find(|(name, _)| name == "datacontenttype").map(|(_, value)| value.as_str());
    let mut object = BTreeMap::new();
    for (name, value) in attributes {
        object.insert(name.as_str(), to_raw_value(value)?);
    }
    if !data.is_empty() {
        let text = std::str::from_utf8(data).ok();
        let (name, member) = match text {
            Some(text) if content_type.is_none_or(is_json) && serde_json::from_str::<IgnoredAny>(text).is_ok() => {
                ("data", RawValue::from_string(text.to_owned())?)
            }
            Some(text) if content_type.is_some_and(|found| found.starts_with("text/")) => ("data", to_raw_value(text)?),
            _ => ("data_base64", to_raw_value(&STANDARD.encode(data))?),
        };
        object.insert(name, member);
    }
    serde_json::to_vec(&object).map(Bytes::from)
}

/// Attributes and data of one object; or what is wrong with it, in words.
pub(crate) fn read(payload: &Bytes) -> Result<(Attributes, Bytes), String> {
    let object: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(payload).map_err(|error| format!("the event is not a JSON object: {error}"))?;
    let mut attributes = Attributes::new();
    let (mut data, mut encoded) = (None, None);
    for (name, raw) in object {
        match name.as_str() {
            "data" => data = Some(raw),
            "data_base64" => encoded = Some(raw),
            _ => match serde_json::from_str(raw.get()) {
                Ok(Value::Null) => {}
                Ok(Value::String(text)) => attributes.push((name, text)),
                Ok(Value::Bool(truth)) => attributes.push((name, truth.to_string())),
                Ok(Value::Number(number)) if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => {
                    attributes.push((name, number.to_string()));
                }
                _ => return Err(format!("the attribute `{}` is no text, truth or whole number", name.escape_debug())),
            },
        }
    }
    let content_type = attributes.iter().find(|(name, _)| name == "datacontenttype");
    let is_json = content_type.is_none_or(|(_, value)| is_json(value));
    let data = match (data, encoded) {
        (Some(_), Some(_)) => return Err("the event has both `data` and `data_base64`".to_owned()),
        (None, None) => Bytes::new(),
        (Some(raw), None) => match serde_json::from_str(raw.get()) {
            Ok(Value::String(text)) if !is_json => text.into(),
            _ => String::from(Box::<str>::from(raw)).into(),
        },
        (None, Some(raw)) => {
            let text: String = serde_json::from_str(raw.get()).map_err(|_| "`data_base64` is not a text".to_owned())?;
            STANDARD.decode(text).map_err(|error| format!("`data_base64` is not base64: {error}"))?.into()
        }
    };
    if content_type.is_none() && !data.is_empty() {
        attributes.push(("datacontenttype".to_owned(), JSON.to_owned()));
    }
    Ok((attributes, data))
}

/// Whether a media type is JSON's or ends in `+json` (JSON event format, 3.1).
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.split_once('/').is_some_and(|(_, sub)| sub == "json" || sub.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(content_type: &str) -> Attributes {
        let all =
            [("specversion", "1.0"), ("id", "1"), ("source", "/s"), ("type", "t"), ("datacontenttype", content_type)];
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn data_comes_back_byte_for_byte() {
        for (content_type, data, member) in [
            ("application/json", r#"{ "n": 1.10, "big": 12345678901234567890123 }"#, "\"data\":{ \"n\""),
            ("application/vnd.x+json", "[1]", "\"data\":[1]"),
            ("application/json", "not json", "\"data_base64\""),
            ("application/json", "\"text\"", "\"data\":\"text\""),
            ("text/plain; charset=utf-8", "größe \"x\"", "\"data\":\"größe"),
            ("text/xml", "<a/>", "\"data\":\"<a/>\""),
            ("application/octet-stream", "bytes", "\"data_base64\""),
            ("application/json", "", "\"datacontenttype\""),
        ] {
            let written = write(&attributes(content_type), &Bytes::from_static(data.as_bytes())).expect("writes");
            let text = String::from_utf8(written.to_vec()).expect("JSON");
            assert!(text.contains(member), "{text}");
            let (mut read, back) = read(&written).expect("ours");
            let mut sent = attributes(content_type);
            read.sort();
            sent.sort();
            assert_eq!((read, back.as_ref()), (sent, data.as_bytes()), "{content_type}");
        }
    }

    #[test]
    fn what_others_write_is_read() {
        let event =
            br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","n":5,"yes":true,"gone":null,"data":{"a": 1}}"#;
        let (attributes, data) = read(&Bytes::from_static(event)).expect("valid");
        let get = |name: &str| attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        assert_eq!((get("n"), get("yes"), get("gone")), (Some("5"), Some("true"), None));
        assert_eq!((get("datacontenttype"), data.as_ref()), (Some("application/json"), &br#"{"a": 1}"#[..]));
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for bad in [
            "",
            "[]",
            "{",
            r#"{"id":{}}"#,
            r#"{"id":[1]}"#,
            r#"{"n":1.5}"#,
            r#"{"n":3000000000}"#,
            r#"{"data":1,"data_base64":"AA=="}"#,
            r#"{"data_base64":"!"}"#,
            r#"{"data_base64":1}"#,
        ] {
            assert!(read(&Bytes::from_static(bad.as_bytes())).is_err(), "{bad}");
        }
    }
}
