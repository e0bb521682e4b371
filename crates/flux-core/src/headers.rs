//! What travels beside a payload: an ordered multi-map of names and values.

use std::fmt;

use crate::{Error, ErrorKind, HeaderName, HeaderValue, Result, header};

/// The headers of a message.
///
/// Order and case are kept; look-up ignores ASCII case. A name may have several values. No headers, or a codec's
/// `Content-Type` alone, take no allocation.
///
/// ```
/// use flux_core::{Headers, header};
///
/// let mut headers = Headers::new();
/// headers.insert("X-Tenant", "acme")?;
/// headers.insert(header::MESSAGE_ID, "order-1")?;
/// assert_eq!(headers.get("x-tenant"), Some("acme"));
/// # Ok::<(), flux_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Headers(Repr);

#[derive(Clone, Default)]
enum Repr {
    #[default]
    Empty,
    /// What a codec sets on every message it encodes, without allocating for it.
    ContentType(&'static str),
    Entries(Vec<(HeaderName, HeaderValue)>),
}

impl Headers {
    /// The most bytes of names and values together that [`insert`](Self::insert) and [`append`](Self::append) allow.
    /// JetStream stores no message with more than 65,535 bytes of headers.
    pub const MAX_BYTES: usize = 65_535;

    /// No headers. Does not allocate.
    #[must_use]
    pub const fn new() -> Self {
        Self(Repr::Empty)
    }

    /// A `Content-Type` and nothing else. Does not allocate.
    #[must_use]
    pub const fn with_content_type(content_type: &'static str) -> Self {
        Self(Repr::ContentType(content_type))
    }

    /// The first value of `name`.
    #[must_use]
    pub fn get(&self, name: &(impl AsName + ?Sized)) -> Option<&str> {
        let name = name.as_name();
        match &self.0 {
            Repr::Empty => None,
            Repr::ContentType(value) => header::CONTENT_TYPE.is(name).then_some(value),
            Repr::Entries(entries) => find(entries, name),
        }
    }

    /// Every value of `name`, in order.
    pub fn get_all<'h>(&'h self, name: &'h (impl AsName + ?Sized)) -> impl Iterator<Item = &'h str> {
        let name = name.as_name();
        self.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether `name` has a value.
    #[must_use]
    pub fn contains(&self, name: &(impl AsName + ?Sized)) -> bool {
        self.get(name).is_some()
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let (content_type, entries) = match &self.0 {
            Repr::Empty => (None, None),
            Repr::ContentType(value) => (Some(("Content-Type", *value)), None),
            Repr::Entries(entries) => (None, Some(entries)),
        };
        let entries = entries.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()));
        content_type.into_iter().chain(entries)
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Empty => 0,
            Repr::ContentType(_) => 1,
            Repr::Entries(entries) => entries.len(),
        }
    }

    /// Whether there is no value at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets `name` to this one value, in the place of its first value or at the end.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] and [`ErrorKind::TooLarge`]; nothing is changed then.
    pub fn insert<N, V>(&mut self, name: N, value: V) -> Result<()>
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
        Error: From<N::Error> + From<V::Error>,
    {
        self.set(name.try_into()?, value.try_into()?)
    }

    /// Adds a value of `name` at the end.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] and [`ErrorKind::TooLarge`]; nothing is changed then.
    pub fn append<N, V>(&mut self, name: N, value: V) -> Result<()>
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
        Error: From<N::Error> + From<V::Error>,
    {
        let (name, value) = (name.try_into()?, value.try_into()?);
        self.check_room(&name, &value, 0)?;
        self.entries().push((name, value));
        Ok(())
    }

    /// Removes every value of `name`; tells whether there was one.
    pub fn remove(&mut self, name: &(impl AsName + ?Sized)) -> bool {
        let name = name.as_name();
        let before = self.len();
        match &mut self.0 {
            Repr::ContentType(_) if header::CONTENT_TYPE.is(name) => self.0 = Repr::Empty,
            Repr::ContentType(_) | Repr::Empty => {}
            Repr::Entries(entries) => entries.retain(|(found, _)| !found.is(name)),
        }
        self.len() < before
    }

    /// The bytes of all names and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// As [`insert`](Self::insert), with name and value checked already.
    pub(crate) fn set(&mut self, name: HeaderName, value: HeaderValue) -> Result<()> {
        let replaced: usize = self.get_all(name.as_str()).map(|old| old.len() + name.as_str().len()).sum();
        self.check_room(&name, &value, replaced)?;
        self.put(name, value);
        Ok(())
    }

    /// Sets a header that is known to be small.
    pub(crate) fn put(&mut self, name: HeaderName, value: HeaderValue) {
        let entries = self.entries();
        let Some(first) = entries.iter().position(|(found, _)| *found == name) else {
            entries.push((name, value));
            return;
        };
        let mut index = 0;
        entries.retain(|(found, _)| {
            index += 1;
            index - 1 <= first || *found != name
        });
        if let Some(entry) = entries.get_mut(first) {
            *entry = (name, value);
        }
    }

    /// Sets the codec's content type unless the publisher has set one.
    #[inline]
    pub(crate) fn set_content_type(&mut self, content_type: &'static str) {
        match &mut self.0 {
            Repr::Empty => self.0 = Repr::ContentType(content_type),
            Repr::ContentType(_) => {}
            Repr::Entries(entries) => add_content_type(entries, content_type),
        }
    }

    /// The first `Content-Type`.
    #[inline]
    pub(crate) fn content_type(&self) -> Option<&str> {
        match &self.0 {
            Repr::Empty => None,
            Repr::ContentType(value) => Some(value),
            Repr::Entries(entries) => find(entries, header::CONTENT_TYPE.as_str()),
        }
    }

    /// The content type that a codec has set: for transports on which it may go without saying. One that a publisher made from
    /// a string is not a codec's.
    #[inline]
    #[must_use]
    pub fn codec_content_type(&self) -> Option<&'static str> {
        match &self.0 {
            Repr::Empty => None,
            Repr::ContentType(value) => Some(value),
            Repr::Entries(entries) => find_codec_content_type(entries),
        }
    }

    /// Whether a codec's content type is all there is, if anything is.
    #[inline]
    pub(crate) fn has_none_but_content_type(&self) -> bool {
        !matches!(self.0, Repr::Entries(_))
    }

    /// The value itself, to be passed on without a copy of its text.
    pub(crate) fn value(&self, name: &HeaderName) -> Option<&HeaderValue> {
        match &self.0 {
            Repr::Entries(entries) => entries.iter().find(|(found, _)| found == name).map(|(_, value)| value),
            _ => None,
        }
    }

    fn check_room(&self, name: &HeaderName, value: &HeaderValue, replaced: usize) -> Result<()> {
        let bytes = self.bytes() - replaced + name.as_str().len() + value.as_str().len();
        if bytes > Self::MAX_BYTES {
            let message = format!("headers of {bytes} bytes are over the limit of {}", Self::MAX_BYTES);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok(())
    }

    fn entries(&mut self) -> &mut Vec<(HeaderName, HeaderValue)> {
        let entries = match std::mem::take(&mut self.0) {
            Repr::Empty => Vec::new(),
            Repr::ContentType(value) => {
                // More is about to come: mostly the trace, or an id.
                let mut entries = Vec::with_capacity(4);
                entries.push((header::CONTENT_TYPE, HeaderValue::of_codec(value)));
                entries
            }
            Repr::Entries(entries) => entries,
        };
        self.0 = Repr::Entries(entries);
        match &mut self.0 {
            Repr::Entries(entries) => entries,
            _ => unreachable!("set on the line before"),
        }
    }
}

/// What headers can be looked up by: a [`HeaderName`] or text.
pub trait AsName {
    /// The name.
    fn as_name(&self) -> &str;
}

impl AsName for HeaderName {
    fn as_name(&self) -> &str {
        self.as_str()
    }
}

impl AsName for str {
    fn as_name(&self) -> &str {
        self
    }
}

impl AsName for String {
    fn as_name(&self) -> &str {
        self
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        let same = |((one, value), (two, other)): ((&str, &str), (&str, &str))| {
            one.eq_ignore_ascii_case(two) && value == other
        };
        self.len() == other.len() && self.iter().zip(other.iter()).all(same)
    }
}

impl Eq for Headers {}

#[inline(never)]
fn add_content_type(entries: &mut Vec<(HeaderName, HeaderValue)>, content_type: &'static str) {
    if !entries.iter().any(|(name, _)| *name == header::CONTENT_TYPE) {
        entries.push((header::CONTENT_TYPE, HeaderValue::of_codec(content_type)));
    }
}

#[inline(never)]
fn find_codec_content_type(entries: &[(HeaderName, HeaderValue)]) -> Option<&'static str> {
    let found = entries.iter().find(|(name, _)| *name == header::CONTENT_TYPE);
    found.and_then(|(_, value)| value.as_static())
}

/// The first value of `name` among `entries`.
#[inline(never)]
fn find<'h>(entries: &'h [(HeaderName, HeaderValue)], name: &str) -> Option<&'h str> {
    entries.iter().find(|(found, _)| found.is(name)).map(|(_, value)| value.as_str())
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<N, V> FromIterator<(N, V)> for Headers
where
    N: Into<HeaderName>,
    V: Into<HeaderValue>,
{
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        let entries: Vec<_> = entries.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        if entries.is_empty() { Self::new() } else { Self(Repr::Entries(entries)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_case_and_repetition_are_kept() {
        let mut headers = Headers::with_content_type("text/plain");
        headers.append("X-Tag", "one").expect("valid");
        headers.append("x-tag", "two").expect("valid");
        headers.insert("X-Id", 7_u64).expect("valid");
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(all, [("Content-Type", "text/plain"), ("X-Tag", "one"), ("x-tag", "two"), ("X-Id", "7")]);
        assert_eq!(headers.get_all("X-TAG").collect::<Vec<_>>(), ["one", "two"]);
        headers.insert("X-TAG", "three").expect("valid");
        assert_eq!(headers.get_all("x-tag").collect::<Vec<_>>(), ["three"]);
        assert_eq!(headers.iter().nth(1), Some(("X-TAG", "three")));
        assert!(headers.remove("content-type"));
        assert!(!headers.remove("content-type"));
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn the_total_is_bounded_and_a_refused_header_changes_nothing() {
        let mut headers = Headers::new();
        headers.insert("a", "x".repeat(65_534)).expect("fits exactly");
        let before = headers.clone();
        assert_eq!(headers.append("b", "").unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(headers.insert("bad\n", "1").unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(headers, before);
        headers.insert("a", "y".repeat(65_534)).expect("takes the place of the old one");
    }

    #[test]
    fn a_codecs_content_type_does_not_replace_the_publishers() {
        let mut headers = Headers::new();
        headers.insert("content-type", "application/x-mine").expect("valid");
        headers.set_content_type("application/json");
        assert_eq!(headers.get(&header::CONTENT_TYPE), Some("application/x-mine"));
        assert_eq!((headers.len(), headers.codec_content_type()), (1, None));

        let mut headers = Headers::new();
        headers.set_content_type("application/json");
        assert_eq!(headers.codec_content_type(), Some("application/json"));
        headers.insert("a", "1").expect("valid");
        assert_eq!(headers.codec_content_type(), Some("application/json"));
    }
}
