//! TLS of a connection.

use std::path::PathBuf;

use async_nats::ConnectOptions;
use async_nats::rustls::crypto::CryptoProvider;
use flux_core::{Error, ErrorKind, Result};

/// TLS of a connection. Files are in PEM.
///
/// Needs the feature `ring` or `aws-lc-rs`, or a provider that the program has installed. With both features, the program must
/// install the one it wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tls {
    /// Files of root certificates. Default: none, which stands for the system's.
    pub roots: Vec<PathBuf>,
    /// The file of our own certificate and that of its key. Default: none.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whether the handshake comes before the server says anything. Default: false, as the server's.
    pub first: bool,
}

impl Tls {
    /// TLS with the system's roots and without a certificate of our own.
    #[must_use]
    pub const fn new() -> Self {
        Self { roots: Vec::new(), client: None, first: false }
    }

    /// Trusts the certificates in this file, and no longer the system's.
    #[must_use]
    pub fn with_root(mut self, file: impl Into<PathBuf>) -> Self {
        self.roots.push(file.into());
        self
    }

    /// Shows the server this certificate.
    #[must_use]
    pub fn with_client(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client = Some((certificate.into(), key.into()));
        self
    }

    /// Begins with the handshake, for servers with `handshake_first`.
    #[must_use]
    pub const fn with_handshake_first(mut self) -> Self {
        self.first = true;
        self
    }

    pub(super) fn apply(&self, mut options: ConnectOptions) -> Result<ConnectOptions> {
        check_provider()?;
        options = options.require_tls(true);
        for file in &self.roots {
            options = options.add_root_certificates(file.clone());
        }
        if let Some((certificate, key)) = &self.client {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(if self.first { options.tls_first() } else { options })
    }
}

/// Refuses what the TLS library would panic about.
pub(crate) fn check_provider() -> Result<()> {
    let features = usize::from(cfg!(feature = "ring")) + usize::from(cfg!(feature = "aws-lc-rs"));
    if features == 1 || CryptoProvider::get_default().is_some() {
        return Ok(());
    }
    let text = if features == 0 {
        "TLS needs the feature `ring` or `aws-lc-rs` of flux-nats"
    } else {
        "two providers of TLS are built in: install one with `CryptoProvider::install_default`"
    };
    Err(Error::new(ErrorKind::Unsupported, text).with_operation("connect"))
}
