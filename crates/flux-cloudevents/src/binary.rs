//! Values as headers: percent-encoded (HTTP binding, 3.1.3.2).

/// What the names of attributes begin with as headers.
pub(crate) const PREFIX: &str = "ce-";

/// The attribute that a header is, if it is one.
pub(crate) fn attribute(header: &str) -> Option<String> {
    let prefix = header.get(..PREFIX.len()).filter(|prefix| prefix.eq_ignore_ascii_case(PREFIX))?;
    header.get(prefix.len()..).map(str::to_ascii_lowercase)
}

/// Encodes all but visible ASCII, and of that the quote and the percent sign.
pub(crate) fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && byte != b'"' && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0').to_ascii_uppercase();
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}

/// Decodes one round; `None` for a `%` without two digits, and for what is not UTF-8. Quotes around the whole are taken away
/// first, as old writers set them.
pub(crate) fn decode(value: &str) -> Option<String> {
    let unquoted;
    let value = match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(inner) => {
            unquoted = unescape(inner);
            unquoted.as_str()
        }
        None => value,
    };
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let [high, low, after @ ..] = rest else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(*high)? << 4 | digit(*low)?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn unescape(text: &str) -> String {
    let mut unescaped = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        unescaped.push(if c == '\\' { characters.next().unwrap_or(c) } else { c });
    }
    unescaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_binding() {
        assert_eq!(encode("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
        for (encoded, value) in
            [("%E2%82%AC", "€"), ("%e2%82%ac", "€"), ("a+b", "a+b"), ("%2520", "%20"), (r#""a \"b\"%20""#, "a \"b\" ")]
        {
            assert_eq!(decode(encoded).as_deref(), Some(value));
        }
        for bad in ["%", "%4", "%zz", "%FF", "%C0%A0"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn attributes_are_found_whatever_their_case() {
        assert_eq!(attribute("CE-Type").as_deref(), Some("type"));
        for other in ["ce", "cetype", "content-type", "ß-type", "x"] {
            assert_eq!(attribute(other), None);
        }
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in "\\PC{0,40}") {
            let encoded = encode(&value);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'));
            prop_assert_eq!(decode(&encoded), Some(value));
        }

        #[test]
        fn nothing_makes_it_panic(value in "[%\"\\\\a-f0-9é]{0,12}") {
            let _ = decode(&value);
        }
    }
}
