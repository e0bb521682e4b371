//! Which subjects a subscription takes.

use std::fmt;
use std::str::FromStr;

use crate::subject::check;
use crate::text::Text;
use crate::{Error, Result, Subject};

/// A subject in which `*` stands for one token and a final `>` for one or more.
///
/// Every [`Subject`] is a filter that matches itself. Cheap to clone, as subjects are.
///
/// ```
/// use flux_core::{SubjectFilter, subject};
///
/// let flights = SubjectFilter::new("flights.*.UA")?;
/// assert!(flights.matches(&subject!("flights.EWR.UA")));
/// assert!(!flights.matches(&subject!("flights.EWR.AA")));
/// # Ok::<(), flux_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectFilter(Text);

impl SubjectFilter {
    /// Checks `filter`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`](crate::ErrorKind::InvalidSubject) with the reason.
    pub fn new(filter: &str) -> Result<Self> {
        check(filter, true).map_err(|flaw| flaw.error("subject filter", filter))?;
        Ok(Self(Text::new(filter)))
    }

    /// Checks a literal, at compile time when called in a `const`. [`filter!`](crate::filter!) does that for you.
    ///
    /// # Panics
    /// When the filter is not valid.
    #[must_use]
    pub const fn from_static(filter: &'static str) -> Self {
        match check(filter, true) {
            Ok(()) => Self(Text::from_static(filter)),
            Err(_) => panic!("not a valid filter: tokens separated by `.`; `*` is a token, `>` the last one"),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The tokens, in order.
    #[must_use]
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.as_str().split('.')
    }

    /// Whether a message published under `subject` is taken.
    #[must_use]
    pub fn matches(&self, subject: &Subject) -> bool {
        // Many filters have no wildcard, and comparing is faster than matching.
        if self.0.as_bytes() == subject.as_bytes() {
            return true;
        }
        let mut subject = subject.as_bytes().split(|&byte| byte == b'.');
        for token in self.0.as_bytes().split(|&byte| byte == b'.') {
            match (token, subject.next()) {
                (b">", Some(_)) => return true,
                (b"*", Some(_)) => {}
                (token, Some(found)) if token == found => {}
                _ => return false,
            }
        }
        subject.next().is_none()
    }

    /// Whether some subject is matched by both filters.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut left, mut right) = (self.tokens(), other.tokens());
        loop {
            match (left.next(), right.next()) {
                (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
                (Some(one), Some(two)) if one == two || one == "*" || two == "*" => {}
                _ => return false,
            }
        }
    }

    /// The filter as a subject, when it has no wildcard.
    #[must_use]
    pub fn as_subject(&self) -> Option<Subject> {
        check(self.as_str(), false).ok()?;
        Subject::new(self.as_str()).ok()
    }

    /// The tokens of `subject` that this filter's wildcards stand for, in order; `>` gives one for each token it took.
    pub fn captures<'s>(&self, subject: &'s Subject) -> impl Iterator<Item = &'s str> {
        let mut filter = self.tokens();
        let mut tail = false;
        subject.tokens().filter(move |_| {
            if !tail {
                match filter.next() {
                    Some(">") => tail = true,
                    Some("*") => return true,
                    _ => return false,
                }
            }
            tail
        })
    }
}

impl fmt::Display for SubjectFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SubjectFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectFilter({:?})", self.as_str())
    }
}

impl AsRef<str> for SubjectFilter {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<Subject> for SubjectFilter {
    fn from(subject: Subject) -> Self {
        Self(Text::new(subject.as_str()))
    }
}

impl FromStr for SubjectFilter {
    type Err = Error;

    fn from_str(filter: &str) -> Result<Self> {
        Self::new(filter)
    }
}

impl TryFrom<&str> for SubjectFilter {
    type Error = Error;

    fn try_from(filter: &str) -> Result<Self> {
        Self::new(filter)
    }
}

impl TryFrom<String> for SubjectFilter {
    type Error = Error;

    fn try_from(filter: String) -> Result<Self> {
        Self::new(&filter)
    }
}

/// A [`SubjectFilter`] from a literal, checked by the compiler.
///
/// ```
/// let audit = flux_core::filter!("orders.*.audit");
/// ```
/// ```compile_fail
/// let oops = flux_core::filter!("orders.>.audit");
/// ```
#[macro_export]
macro_rules! filter {
    ($filter:literal) => {{
        const FILTER: $crate::SubjectFilter = $crate::SubjectFilter::from_static($filter);
        FILTER
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> SubjectFilter {
        SubjectFilter::new(text).expect("valid")
    }

    fn subject(text: &str) -> Subject {
        Subject::new(text).expect("valid")
    }

    #[test]
    fn wildcards_stand_for_whole_tokens() {
        for (pattern, text, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.bc", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("*.b.*", "x.b.y", true),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
            ("*", "a.b", false),
        ] {
            assert_eq!(filter(pattern).matches(&subject(text)), expected, "{pattern} {text}");
        }
        for bad in ["a.>.b", ">x", "a*", "*a", "", "a..*", "a.b>", "**"] {
            assert!(SubjectFilter::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn overlap_is_found_from_either_side() {
        for (one, two, expected) in
            [("a.*", "*.b", true), ("a.>", "a", false), ("a.>", "*.x", true), ("a.b", "a.c", false), ("a", "a", true)]
        {
            assert_eq!(filter(one).overlaps(&filter(two)), expected, "{one} {two}");
            assert_eq!(filter(two).overlaps(&filter(one)), expected, "{two} {one}");
        }
    }

    #[test]
    fn captures_are_what_the_wildcards_took() {
        let captured = |pattern: &str, text: &str| -> Vec<String> {
            filter(pattern).captures(&subject(text)).map(str::to_owned).collect()
        };
        assert_eq!(captured("flights.*.*", "flights.EWR.UA"), ["EWR", "UA"]);
        assert_eq!(captured("a.*.>", "a.b.c.d"), ["b", "c", "d"]);
        assert!(captured("a.b", "a.b").is_empty());
    }
}
