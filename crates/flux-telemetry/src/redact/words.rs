//! The words of a name, and whether they are those of a key.

/// The words of a name: they end at what is no letter or digit, between letters and digits, and where camel case begins a new
/// one, `HTTPToken` being `HTTP` and `Token`.
pub(super) fn words(name: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut letters = name.char_indices().peekable();
    let (mut start, mut before) = (0, None);
    while let Some((place, letter)) = letters.next() {
        let after = letters.peek().map(|(_, after)| *after);
        if !letter.is_alphanumeric() || before.is_none_or(|before| begins(before, letter, after)) {
            push(&mut words, name.get(start..place));
            start = if letter.is_alphanumeric() { place } else { place + letter.len_utf8() };
        }
        before = letter.is_alphanumeric().then_some(letter);
    }
    push(&mut words, name.get(start..));
    words
}

fn push<'n>(words: &mut Vec<&'n str>, word: Option<&'n str>) {
    words.extend(word.filter(|word| !word.is_empty()));
}

/// Whether a letter or digit begins a word after another one.
fn begins(before: char, letter: char, after: Option<char>) -> bool {
    let camel = letter.is_uppercase() && (!before.is_uppercase() || after.is_some_and(char::is_lowercase));
    camel || before.is_numeric() != letter.is_numeric()
}

/// Whether the words of `key`, in lower case, stand in a row in `name`. The first may be the end of a longer word.
pub(super) fn contains(name: &[&str], key: &[String]) -> bool {
    let Some((first, rest)) = key.split_first() else { return false };
    name.windows(key.len()).any(|window| {
        let Some((word, others)) = window.split_first() else { return false };
        ends_with(word, first) && others.iter().zip(rest).all(|(word, part)| is(word, part))
    })
}

fn is(word: &str, part: &str) -> bool {
    word.eq_ignore_ascii_case(part) || (!word.is_ascii() && word.to_lowercase() == part)
}

fn ends_with(word: &str, part: &str) -> bool {
    let end = word.len().checked_sub(part.len()).and_then(|start| word.get(start..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(part)) || (!word.is_ascii() && word.to_lowercase().ends_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_where_people_end_them() {
        for (name, expected) in [
            ("", &[][..]),
            ("--", &[]),
            ("X-Api_key", &["X", "Api", "key"]),
            ("xApiKEY", &["x", "Api", "KEY"]),
            ("HTTPToken", &["HTTP", "Token"]),
            ("oauth2Token", &["oauth", "2", "Token"]),
            ("größeÄnderung ", &["größe", "Änderung"]),
        ] {
            assert_eq!(words(name), expected, "{name}");
        }
    }
}
