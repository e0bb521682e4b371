//! Where a message goes: validated subjects, and the check that subjects and filters share.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use crate::text::Text;
use crate::{Error, ErrorKind, Result};

/// The name a message is published under: tokens separated by `.`, for example `orders.created`.
///
/// A token is not empty and holds no ASCII white space or control character, and no `*` or `>`; a subject is at most
/// [`Subject::MAX_LEN`] bytes long. Cloning is cheap; up to 30 bytes it does not allocate either.
///
/// ```
/// use flux_core::{Subject, subject};
///
/// const CREATED: Subject = subject!("orders.created"); // checked by the compiler
/// assert_eq!(Subject::new("orders.created")?, CREATED);
/// assert!(Subject::new("orders.*").is_err()); // that would be a filter
/// # Ok::<(), flux_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Text);

impl Subject {
    /// The longest subject or filter, in bytes. NATS servers refuse protocol lines over 4,096 bytes by default, which
    /// hold a subject, a reply subject and more.
    pub const MAX_LEN: usize = 1024;

    /// Checks `subject`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`] with the reason.
    pub fn new(subject: &str) -> Result<Self> {
        check(subject, false).map_err(|flaw| flaw.error("subject", subject))?;
        Ok(Self(Text::new(subject)))
    }

    /// Checks a literal, at compile time when called in a `const`. [`subject!`](crate::subject!) does that for you.
    ///
    /// # Panics
    /// When the subject is not valid.
    #[must_use]
    pub const fn from_static(subject: &'static str) -> Self {
        match check(subject, false) {
            Ok(()) => Self(Text::from_static(subject)),
            Err(_) => panic!("not a valid subject: tokens separated by `.`, without white space or wildcards"),
        }
    }

    /// This subject with one more token, or several, at its end.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`] when the result is not a subject.
    pub fn join(&self, token: &str) -> Result<Self> {
        Self::try_from(format!("{self}.{token}"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The text of a subject made from a literal, for transports that can keep it without a copy.
    #[must_use]
    pub const fn as_static(&self) -> Option<&'static str> {
        self.0.as_static()
    }

    /// The text's bytes. Cheaper than [`as_str`](Self::as_str) where bytes will do.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The tokens, in order.
    #[must_use]
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.as_str().split('.')
    }
}

/// Why a text is neither subject nor filter.
#[derive(Clone, Copy)]
pub(crate) enum Flaw {
    Empty,
    EmptyToken,
    Forbidden,
    TailNotLast,
    TooLong,
    Wildcard,
}

impl Flaw {
    pub(crate) fn error(self, what: &str, text: &str) -> Error {
        let reason = match self {
            Self::Empty => "it is empty",
            Self::EmptyToken => "it has an empty token",
            Self::Forbidden => "it holds white space or a control character",
            Self::TailNotLast => "`>` is not its last token",
            Self::TooLong => "it is longer than 1024 bytes",
            Self::Wildcard if what == "subject" => "it has a wildcard; only filters may",
            Self::Wildcard => "a wildcard is a token of its own",
        };
        let shown: String = text.chars().take(80).collect();
        Error::new(ErrorKind::InvalidSubject, format!("`{}` is not a valid {what}: {reason}", shown.escape_debug()))
    }
}

/// Checks the rules that subjects and filters share; `wildcards` tells whether `*` and `>` may be tokens.
pub(crate) const fn check(text: &str, wildcards: bool) -> Result<(), Flaw> {
    let mut rest = text.as_bytes();
    if rest.is_empty() {
        return Err(Flaw::Empty);
    }
    if rest.len() > Subject::MAX_LEN {
        return Err(Flaw::TooLong);
    }
    let mut empty = true;
    while let [byte, after @ ..] = rest {
        if is_plain(*byte) {
            empty = false;
            rest = after;
            continue;
        }
        match (*byte, after) {
            (b'.', _) if empty => return Err(Flaw::EmptyToken),
            (b'.', _) => empty = true,
            (b'*' | b'>', _) if !wildcards || !empty => return Err(Flaw::Wildcard),
            (b'*', [] | [b'.', ..]) | (b'>', []) => empty = false,
            (b'>', [b'.', ..]) => return Err(Flaw::TailNotLast),
            (b'*' | b'>', _) => return Err(Flaw::Wildcard),
            _ => return Err(Flaw::Forbidden),
        }
        rest = after;
    }
    if empty { Err(Flaw::EmptyToken) } else { Ok(()) }
}

/// Whether the byte has no meaning of its own in a subject or filter, and is allowed there.
#[expect(clippy::indexing_slicing, reason = "a byte is a place in a table of 256")]
const fn is_plain(byte: u8) -> bool {
    PLAIN[byte as usize]
}

/// [`is_plain`] for every byte: publishing checks each byte of a subject, and a look is cheaper than four comparisons.
#[expect(clippy::indexing_slicing, reason = "the place is below the length")]
static PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte < plain.len() {
        plain[byte] = !matches!(byte, 0..=0x20 | 0x7f | 0x2e | 0x2a | 0x3e);
        byte += 1;
    }
    plain
};

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({:?})", self.as_str())
    }
}

impl AsRef<str> for Subject {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Subject {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Subject {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Subject {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl FromStr for Subject {
    type Err = Error;

    fn from_str(subject: &str) -> Result<Self> {
        Self::new(subject)
    }
}

impl TryFrom<&str> for Subject {
    type Error = Error;

    fn try_from(subject: &str) -> Result<Self> {
        Self::new(subject)
    }
}

impl TryFrom<&String> for Subject {
    type Error = Error;

    fn try_from(subject: &String) -> Result<Self> {
        Self::new(subject)
    }
}

impl TryFrom<String> for Subject {
    type Error = Error;

    fn try_from(subject: String) -> Result<Self> {
        check(&subject, false).map_err(|flaw| flaw.error("subject", &subject))?;
        Ok(Self(Text::from(subject)))
    }
}

impl From<&Subject> for Subject {
    fn from(subject: &Subject) -> Self {
        subject.clone()
    }
}

/// A [`Subject`] from a literal, checked by the compiler.
///
/// ```
/// let created = flux_core::subject!("orders.created");
/// ```
/// ```compile_fail
/// let oops = flux_core::subject!("orders..created");
/// ```
#[macro_export]
macro_rules! subject {
    ($subject:literal) => {{
        const SUBJECT: $crate::Subject = $crate::Subject::from_static($subject);
        SUBJECT
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_checked() {
        for good in ["a", "a.b", "orders.created", "größe.x", "a-b_c.1", "$JS.API.x", &"x".repeat(1024)] {
            assert!(Subject::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a\n", "a.*", ">", "a*", "\u{7f}", &"x".repeat(1025)] {
            let error = Subject::new(bad).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::InvalidSubject);
        }
    }

    #[test]
    fn a_bad_subject_is_shown_escaped_and_cut() {
        let error = Subject::new("a\r\nPUB b").unwrap_err().to_string();
        assert!(error.contains(r"a\r\nPUB b"), "{error}");
        assert!(Subject::new(&"x.".repeat(4096)).unwrap_err().to_string().len() < 200);
    }
}
