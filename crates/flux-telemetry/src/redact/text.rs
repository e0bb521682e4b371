//! Secrets inside text that was made from a structure: `Login { user: "eve", password: "hunter2" }`.

use std::borrow::Cow;

use super::{HIDDEN, Redact};

/// The text, with what follows a secret's name and `:` or `=` hidden.
pub(super) fn hide<'t>(redact: &Redact, text: &'t str) -> Cow<'t, str> {
    let mut shown = String::new();
    let mut rest = text;
    // What has been looked at of `rest`, so that a name is not cut from its value.
    let mut place = 0;
    while let Some(found) = rest.get(place..).and_then(|ahead| ahead.find([':', '='])) {
        let (before, after) = rest.split_at(place + found);
        let after = after.get(1..).unwrap_or_default();
        if redact.hides(name(before)) {
            let value = after.trim_start_matches(' ');
            shown.push_str(rest.get(..rest.len() - value.len()).unwrap_or_default());
            shown.push_str(HIDDEN);
            rest = value.get(length(value)..).unwrap_or_default();
            place = 0;
        } else {
            place += found + 1;
        }
    }
    if shown.is_empty() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// What stands at the end of the text: a word, or what is in quotes.
fn name(text: &str) -> &str {
    let text = text.trim_end();
    if let Some(quoted) = text.strip_suffix('"') {
        return quoted.rsplit('"').next().unwrap_or_default();
    }
    text.rsplit(|letter: char| !letter.is_alphanumeric() && !"_-.".contains(letter)).next().unwrap_or_default()
}

/// How long the value is that the text begins with: to the separator behind it, or to the end of what surrounds it.
fn length(text: &str) -> usize {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_usize, false, false);
    for (place, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ')' | ']' | '}' | ',' | ';' | '&' | '\n' if depth == 0 => return place,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "what is shown of them matters")]
    struct Login<'l> {
        user: &'l str,
        password: Option<&'l str>,
        headers: BTreeMap<&'l str, Vec<&'l str>>,
        last: u8,
    }

    #[test]
    fn what_a_structure_shows_is_hidden_by_name() {
        let headers = BTreeMap::from([("Authorization", vec!["Bearer a, \"b\"} c"]), ("X-Id", vec!["7"])]);
        let login = Login { user: "eve", password: Some("hunter2"), headers, last: 1 };
        let text = format!("{login:?}");
        assert_eq!(
            hide(&Redact::default(), &text),
            r#"Login { user: "eve", password: [hidden], headers: {"Authorization": [hidden], "X-Id": ["7"]}, last: 1 }"#
        );
        let text = format!("{login:#?}");
        let shown = hide(&Redact::default(), &text);
        assert!(!shown.contains("hunter2") && !shown.contains("Bearer") && shown.contains("last: 1"), "{shown}");
    }

    #[test]
    fn json_and_pairs_are_hidden_and_other_text_is_left_alone() {
        for (text, shown) in [
            (r#"{"apiKey":"k","id":1}"#, r#"{"apiKey":[hidden],"id":1}"#),
            ("GET /a?access_token=t&id=1", "GET /a?access_token=[hidden]&id=1"),
            ("Authorization: Bearer x\nX-Id: 7", "Authorization: [hidden]\nX-Id: 7"),
            ("password=", "password=[hidden]"),
        ] {
            assert_eq!(hide(&Redact::default(), text), shown);
        }
        for text in ["", ":", "a: b, tokens: 3", "the password is missing", "größe=1"] {
            assert!(matches!(hide(&Redact::default(), text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
