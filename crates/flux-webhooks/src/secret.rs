//! Secrets that both sides know.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flux_core::{Error, ErrorKind, Result};

/// A secret, as the standard writes it: `whsec_` and base64.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Reads a secret of 24 to 64 bytes; the prefix may be missing.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`], which does not show the text.
    pub fn new(text: &str) -> Result<Self> {
        let refuse = |flaw: &'static str| Error::new(ErrorKind::InvalidInput, flaw);
        let encoded = text.strip_prefix("whsec_").unwrap_or(text);
        let bytes = STANDARD.decode(encoded).map_err(|_| refuse("the secret is not `whsec_` and base64"))?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(refuse("a secret has 24 to 64 bytes"));
        }
        Ok(Self(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The secrets of one endpoint, and for how long a signature counts.
#[derive(Debug, Clone)]
pub struct Secrets {
    pub(crate) all: Vec<Secret>,
    pub(crate) tolerance: Duration,
}

impl Secrets {
    /// One secret. A signature counts for five minutes before and after its time.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self { all: vec![secret], tolerance: Duration::from_secs(300) }
    }

    /// Adds a secret, so that one can take another's place: messages are signed by each, and accepted by any.
    #[must_use]
    pub fn and(mut self, secret: Secret) -> Self {
        self.all.push(secret);
        self
    }

    /// Sets how far the time of a signature may be from now, in either direction. Whatever is older was replayed.
    #[must_use]
    pub const fn with_tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
