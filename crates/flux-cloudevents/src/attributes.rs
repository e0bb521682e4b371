//! The rules of attributes (CloudEvents 1.0.2, 3.1 and 3.2).

/// The version that is read and written.
pub(crate) const VERSION: &str = "1.0";

/// Those that every event has.
pub(crate) const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];

/// Names and values, without the prefix and the encoding of headers.
pub(crate) type Attributes = Vec<(String, String)>;

/// What is wrong with an attribute, in words.
pub(crate) fn check(name: &str, value: &str) -> Result<(), String> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) || name == "data"
    {
        return Err(format!(
            "`{}` is not the name of an attribute: lower-case letters and digits",
            name.escape_debug()
        ));
    }
    let flaw = match name {
        _ if value.chars().any(|c| c.is_control() || is_noncharacter(c)) => Some("holds a control character"),
        "specversion" if value != VERSION => Some("is not 1.0"),
        "id" | "source" | "type" | "subject" | "dataschema" | "datacontenttype" | "time" if value.is_empty() => {
            Some("is empty")
        }
        "source" if !is_uri(value) => Some("is not a URI reference"),
        "dataschema" if !is_uri(value) || !has_scheme(value) => Some("is not an absolute URI"),
        "datacontenttype" if !is_media_type(value) => Some("is not a media type"),
        "time" if !is_time(value) => Some("is not a time as RFC 3339 has it"),
        _ => None,
    };
    flaw.map_or(Ok(()), |flaw| Err(format!("the attribute `{name}` {flaw}")))
}

/// What is wrong with all attributes of one event.
pub(crate) fn check_all(attributes: &Attributes) -> Result<(), String> {
    let mut names = std::collections::HashSet::new();
    for (name, value) in attributes {
        check(name, value)?;
        if !names.insert(name.as_str()) {
            return Err(format!("the attribute `{name}` is there twice"));
        }
    }
    let missing = REQUIRED.into_iter().find(|name| !names.contains(name));
    missing.map_or(Ok(()), |name| Err(format!("the attribute `{name}` is missing")))
}

const fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || (c as u32 & 0xfffe) == 0xfffe
}

/// Whether all characters are ones of a URI (RFC 3986, appendix A), and each `%` begins an encoded byte.
fn is_uri(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => after,
            (byte, after) if byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(byte) => after,
            _ => return false,
        };
    }
    true
}

fn has_scheme(uri: &str) -> bool {
    let Some((scheme, _)) = uri.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    essence.split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub))
}

/// Whether it is a date, a time and an offset (RFC 3339, 5.6).
fn is_time(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>, most: std::ops::RangeInclusive<u32>| {
        let digits = text.get(range).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse().ok()).filter(|number| most.contains(number))
    };
    let mark = |place: usize, marks: &[u8]| text.as_bytes().get(place).is_some_and(|byte| marks.contains(byte));
    let (Some(year), Some(month), Some(day)) = (number(0..4, 0..=9999), number(5..7, 1..=12), number(8..10, 1..=31))
    else {
        return false;
    };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let clock = [number(11..13, 0..=23), number(14..16, 0..=59), number(17..19, 0..=60)];
    let marks = mark(4, b"-") && mark(7, b"-") && mark(10, b"Tt ") && mark(13, b":") && mark(16, b":");
    if day > days || !marks || clock.contains(&None) {
        return false;
    }
    let rest = text.get(19..).unwrap_or_default();
    let fraction = rest.strip_prefix('.');
    let offset = match fraction {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let has_digits = fraction.is_none_or(|fraction| fraction.len() > offset.len());
    has_digits && (matches!(offset, "Z" | "z") || is_offset(offset))
}

fn is_offset(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<u8>().ok());
    text.len() == 6
        && text.starts_with(['+', '-'])
        && text.as_bytes().get(3) == Some(&b':')
        && number(1..3).is_some_and(|hours| hours < 24)
        && number(4..6).is_some_and(|minutes| minutes < 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_the_rules_of_their_attribute() {
        for (name, good) in [
            ("specversion", "1.0"),
            ("id", "A234-1234 ü"),
            ("source", "/cloudevents/spec/pull/123"),
            ("source", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"),
            ("source", "mailto:cncf@example.org?a=%20"),
            ("type", "com.example.object.deleted.v2"),
            ("subject", "newfile.jpg"),
            ("dataschema", "https://example.org/schema#1"),
            ("datacontenttype", "application/vnd.x+json; charset=utf-8"),
            ("time", "2018-04-05T17:31:00Z"),
            ("time", "2020-02-29t23:59:60.123456789+05:30"),
            ("extension1", ""),
        ] {
            assert_eq!(check(name, good), Ok(()), "{name} {good}");
        }
        for (name, bad) in [
            ("specversion", "0.3"),
            ("id", ""),
            ("id", "a\u{7}"),
            ("id", "a\u{85}"),
            ("id", "\u{fffe}"),
            ("source", ""),
            ("source", "a b"),
            ("source", "a%zz"),
            ("type", ""),
            ("subject", ""),
            ("dataschema", "/relative"),
            ("dataschema", ""),
            ("datacontenttype", "json"),
            ("datacontenttype", "a/b/c"),
            ("time", "2018-04-05"),
            ("time", "2018-04-05T17:31:00"),
            ("time", "2018-13-05T17:31:00Z"),
            ("time", "2019-02-29T17:31:00Z"),
            ("time", "2018-04-05T24:31:00Z"),
            ("time", "2018-04-05T17:31:00.Z"),
            ("time", "2018-04-05T17:31:00+5:30"),
            ("time", "2018-04-05T17:31:00+24:00"),
            ("time", "2018-04-05T17:31:00é"),
            ("time", ""),
            ("Upper", "x"),
            ("with-dash", "x"),
            ("", "x"),
            ("data", "x"),
        ] {
            assert!(check(name, bad).is_err(), "{name} {bad:?}");
        }
    }

    #[test]
    fn each_required_attribute_is_missed_and_none_may_be_there_twice() {
        let values = ["1.0", "1", "/s", "t"];
        let full: Attributes =
            REQUIRED.iter().zip(values).map(|(name, value)| ((*name).into(), value.into())).collect();
        assert_eq!(check_all(&full), Ok(()));
        for place in 0..full.len() {
            let mut less = full.clone();
            let (name, value) = less.remove(place);
            assert!(check_all(&less).is_err_and(|flaw| flaw.contains(&name)));
            let mut more = full.clone();
            more.push((name, value));
            assert!(check_all(&more).is_err_and(|flaw| flaw.contains("twice")));
        }
    }
}
