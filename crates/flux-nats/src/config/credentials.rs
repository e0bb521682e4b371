//! Who a connection is to the server.

use std::fmt;

use async_nats::ConnectOptions;
use flux_core::Result;

/// Who we are to the server. `Debug` shows no secret.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Credentials {
    /// A credentials file, as `nsc` writes it: a user's JWT and seed. Read anew by no one: a change needs a new connection.
    #[cfg(feature = "nkeys")]
    File(std::path::PathBuf),
    /// The seed of an nkey.
    #[cfg(feature = "nkeys")]
    Nkey(String),
    /// Nobody in particular, or whom the URL says.
    #[default]
    None,
    /// A token.
    Token(String),
    /// A user and a password.
    User {
        /// The user.
        name: String,
        /// The password.
        password: String,
    },
}

impl Credentials {
    /// A user and a password.
    pub fn user(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self::User { name: name.into(), password: password.into() }
    }

    #[cfg_attr(
        not(feature = "nkeys"),
        expect(clippy::unused_async, reason = "a credentials file is read without blocking")
    )]
    pub(super) async fn apply(&self, options: ConnectOptions) -> Result<ConnectOptions> {
        Ok(match self {
            #[cfg(feature = "nkeys")]
            Self::File(path) => options.credentials_file(path).await.map_err(|error| {
                let text = format!("cannot read the credentials file {}", path.display());
                let kind = flux_core::ErrorKind::InvalidInput;
                flux_core::Error::new(kind, text).with_source(error).with_operation("connect")
            })?,
            #[cfg(feature = "nkeys")]
            Self::Nkey(seed) => options.nkey(seed.clone()),
            Self::None => options,
            Self::Token(token) => options.token(token.clone()),
            Self::User { name, password } => options.user_and_password(name.clone(), password.clone()),
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "nkeys")]
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            #[cfg(feature = "nkeys")]
            Self::Nkey(_) => f.write_str("Nkey(..)"),
            Self::None => f.write_str("None"),
            Self::Token(_) => f.write_str("Token(..)"),
            Self::User { name, .. } => f.debug_struct("User").field("name", name).finish_non_exhaustive(),
        }
    }
}
