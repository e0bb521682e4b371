//! The string behind subjects and headers: cheap to clone, without allocation while it is short.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Bytes a string may have before it moves to the heap. Chosen so that the whole value is 32 bytes wide.
const INLINE: usize = 30;

#[derive(Debug)]
pub(crate) enum Text {
    Short(Short),
    Shared(Arc<str>),
}

/// What is cloned by copying all of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Short {
    Static(&'static str),
    Inline(u8, [u8; INLINE]),
}

impl Clone for Text {
    // Not inlined: the compiler would take the copy to pieces, and a move that reads them back as a whole has to wait until
    // the last of them is written, several times for each message.
    #[inline(never)]
    fn clone(&self) -> Self {
        match self {
            Self::Short(short) => Self::Short(*short),
            Self::Shared(text) => Self::Shared(Arc::clone(text)),
        }
    }
}

impl Text {
    pub(crate) const fn from_static(text: &'static str) -> Self {
        Self::Short(Short::Static(text))
    }

    pub(crate) fn new(text: &str) -> Self {
        let mut inline = [0; INLINE];
        match (inline.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(room), Ok(len)) => {
                room.copy_from_slice(text.as_bytes());
                Self::Short(Short::Inline(len, inline))
            }
            _ => Self::Shared(text.into()),
        }
    }

    pub(crate) const fn as_static(&self) -> Option<&'static str> {
        match self {
            Self::Short(Short::Static(text)) => Some(text),
            Self::Short(Short::Inline(..)) | Self::Shared(_) => None,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(Short::Static(text)) => text.as_bytes(),
            Self::Short(Short::Inline(len, bytes)) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Shared(text) => text.as_bytes(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Short(Short::Static(text)) => text,
            // The bytes were copied from a whole `str`, so the check cannot fail; without `unsafe` it cannot be left out.
            Self::Short(Short::Inline(..)) => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Self::Shared(text) => text,
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        if text.len() <= INLINE { Self::new(&text) } else { Self::Shared(text.into()) }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The same as `str`, so that maps may be searched by `&str`.
        self.as_str().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_the_same() {
        for text in ["", "orders.created", "é", &"x".repeat(30), &"x".repeat(31), &"é".repeat(40)] {
            assert_eq!(Text::new(text).as_str(), text);
            assert_eq!(Text::from(text.to_owned()), Text::new(text));
        }
        assert!(Text::from_static("a") == Text::new("a"));
        assert_eq!(size_of::<Text>(), 32);
    }
}
