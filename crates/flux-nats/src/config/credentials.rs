//! Who a connection is to the server.

use std::fmt;

use async_nats::{ConnectOptions, ServerAddr};
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

    /// What a URL says: a user and a password, or, without a password, a token. The client itself does not look there.
    pub(crate) fn from_url(address: &ServerAddr) -> Self {
        match (address.username().map(decode), address.password().map(decode)) {
            (Some(name), Some(password)) => Self::User { name, password },
            (Some(token), None) => Self::Token(token),
            (None, _) => Self::None,
        }
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

/// Undoes the percent-encoding of a URL's part (RFC 3986, 2.1).
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_who_we_are() {
        let of = |url: &str| Credentials::from_url(&url.parse().expect("a server's"));
        assert!(
            matches!(of("nats://a%40b:p%3A%25w@host"), Credentials::User { name, password } if name == "a@b" && password == "p:%w")
        );
        assert!(matches!(of("nats://t0ken@host"), Credentials::Token(token) if token == "t0ken"));
        assert!(matches!(of("nats://host"), Credentials::None));
    }
}
