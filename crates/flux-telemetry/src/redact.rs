//! Which values are hidden, wherever telemetry shows structured fields or headers.

mod text;
mod words;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use flux_core::Headers;

/// What stands in place of a hidden value.
pub const HIDDEN: &str = "[hidden]";

/// Hidden unless the program says otherwise.
const DEFAULT: [&str; 8] = ["api key", "apikey", "authorization", "cookie", "passwd", "password", "secret", "token"];

/// Hides the values of fields, attributes and headers whose names say that they are secret.
///
/// Names are compared word by word, without case: `token` hides `token`, `access_token`, `accesstoken`, `X-Token`, `HTTPToken` and
/// `accessToken`, but not `tokens` or `tokenizer`; `api key` hides `api_key`, `X-Api-Key`, `APIKey` and `apiKey`. It goes by names only: a
/// secret without one, in the text of an error for example, is shown.
///
/// ```
/// use flux_telemetry::Redact;
///
/// let redact = Redact::default().and("iban");
/// assert!(redact.hides("customer.iban") && redact.hides("Authorization"));
/// assert!(!redact.hides("order_id"));
/// ```
#[derive(Clone)]
pub struct Redact(Arc<Vec<Vec<String>>>);

impl Default for Redact {
    /// Hides `api key`, `apikey`, `authorization`, `cookie`, `passwd`, `password`, `secret` and `token`.
    fn default() -> Self {
        Self::only(DEFAULT)
    }
}

impl Redact {
    /// Hides these keys and no others.
    pub fn only<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self(Arc::new(keys.into_iter().filter_map(|key| parse(key.as_ref())).collect()))
    }

    /// Hides this key as well.
    #[must_use]
    pub fn and(mut self, key: &str) -> Self {
        Arc::make_mut(&mut self.0).extend(parse(key));
        self
    }

    /// Whether the value under this name is hidden.
    #[must_use]
    pub fn hides(&self, name: &str) -> bool {
        let name = words::words(name);
        self.0.iter().any(|key| words::contains(&name, key))
    }

    /// Text as a log may show it: what follows a name that is hidden and `:` or `=` is left out, as in the `Debug` form of a structure, in
    /// JSON, or in a query.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        text::hide(self, text)
    }

    /// The headers as a log may show them.
    #[must_use]
    pub fn headers<'h>(&'h self, headers: &'h Headers) -> RedactedHeaders<'h> {
        RedactedHeaders { redact: self, headers }
    }
}

impl fmt::Debug for Redact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|words| words.join(" "))).finish()
    }
}

/// The words of a key; nothing when it has none.
fn parse(key: &str) -> Option<Vec<String>> {
    let words: Vec<_> = words::words(key).into_iter().map(str::to_lowercase).collect();
    (!words.is_empty()).then_some(words)
}

/// Headers without their secrets, to be shown; see [`Redact::headers`].
pub struct RedactedHeaders<'h> {
    redact: &'h Redact,
    headers: &'h Headers,
}

impl fmt::Debug for RedactedHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.headers.iter().map(|(name, value)| {
            let value = if self.redact.hides(name) { HIDDEN } else { value };
            (name, value)
        });
        f.debug_map().entries(shown).finish()
    }
}

impl fmt::Display for RedactedHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_secrets_are_known_however_they_are_written() {
        let redact = Redact::default();
        for hidden in [
            "password",
            "db_password",
            "PASSWORD",
            "token",
            "access_token",
            "X-Auth-Token",
            "accessToken",
            "api_key",
            "X-Api-Key",
            "apiKey",
            "apikey",
            "API-Key",
            "APIKey",
            "XApiKey",
            "x_api_key",
            "x-api-key",
            "api.key",
            "accesstoken",
            "HTTPToken",
            "oauth2Token",
            "token2",
            "userPassword1",
            "Proxy-Authorization",
            "Authorization",
            "http.request.header.authorization",
            "Set-Cookie",
        ] {
            assert!(redact.hides(hidden), "{hidden}");
        }
        for shown in ["tokens", "tokenizer", "passwordless", "api", "key", "key_api", "author", "order_id", ""] {
            assert!(!redact.hides(shown), "{shown}");
        }
    }

    #[test]
    fn keys_are_configured() {
        let redact = Redact::default().and("iban");
        assert!(redact.hides("customer.iban") && redact.hides("token"));
        let only = Redact::only(["Card-Number", ""]);
        assert!(only.hides("cardNumber") && !only.hides("token") && !only.hides(""));
    }

    #[test]
    fn headers_are_shown_without_their_secrets() {
        let mut headers = Headers::new();
        headers.insert("Authorization", "Bearer abc").expect("valid");
        headers.insert("X-Message-ID", "order-1").expect("valid");
        let shown = Redact::default().headers(&headers).to_string();
        assert_eq!(shown, r#"{"Authorization": "[hidden]", "X-Message-ID": "order-1"}"#);
    }
}
