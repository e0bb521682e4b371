//! What a server is told: options, as the text of its configuration file.

use std::fmt;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use flux_core::Result;

use crate::failure;

/// TLS for clients: the server's certificate, and whether clients must show one.
///
/// Files are in PEM. A server that was given [`Tls`] refuses connections without TLS.
#[derive(Debug, Clone)]
#[must_use]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

impl Tls {
    /// The server's certificate, with its chain, and its private key. Clients need no certificate.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), key: key.into(), client_ca: None }
    }

    /// Refuses clients without a certificate of this authority.
    pub fn with_client_ca(mut self, authority: impl Into<PathBuf>) -> Self {
        self.client_ca = Some(authority.into());
        self
    }
}

/// The options that go into the file; all others are arguments.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) max_payload: Option<usize>,
    pub(crate) users: Vec<(String, String)>,
    pub(crate) token: Option<String>,
    pub(crate) tls: Option<Tls>,
    pub(crate) text: String,
}

impl fmt::Debug for Options {
    /// Leaves the secrets out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Options");
        shown.field("max_payload", &self.max_payload).field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Options {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.max_payload.is_none()
            && self.users.is_empty()
            && self.token.is_none()
            && self.tls.is_none()
            && self.text.is_empty()
    }

    /// The file's text. The user's own lines come last, because the last of two settings counts.
    pub(crate) fn render(&self) -> Result<String> {
        let mut text = String::new();
        match self.max_payload {
            Some(0) => return Err(failure::invalid("a max_payload of 0 bytes would mean the server's default")),
            Some(bytes) => line(&mut text, format_args!("max_payload: {bytes}")),
            None => {}
        }
        match (&self.token, self.users.is_empty()) {
            (Some(_), false) => return Err(failure::invalid("a server checks users or a token, not both")),
            (Some(token), true) => line(&mut text, format_args!("authorization {{ token: {} }}", quoted(token))),
            (None, false) => line(&mut text, format_args!("authorization {{ users: [{}] }}", self.listed_users())),
            (None, true) => {}
        }
        if let Some(tls) = &self.tls {
            line(&mut text, format_args!("tls {{ {} }}", tls.rendered()));
        }
        text.push_str(&self.text);
        Ok(text)
    }

    fn listed_users(&self) -> String {
        let user = |(name, password): &(String, String)| {
            format!("{{ user: {}, password: {} }}", quoted(name), quoted(password))
        };
        self.users.iter().map(user).collect::<Vec<_>>().join(", ")
    }
}

impl Tls {
    fn rendered(&self) -> String {
        let text = format!("cert_file: {}, key_file: {}", path(&self.certificate), path(&self.key));
        match &self.client_ca {
            Some(authority) => format!("{text}, ca_file: {}, verify: true", path(authority)),
            None => text,
        }
    }
}

fn line(text: &mut String, content: fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("a string takes all that is written");
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A string as the server's configuration language reads it: quotes keep `$` and `#` from meaning something.
fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_is_nothing_written() {
        assert!(Options::default().is_empty());
        assert_eq!(Options::default().render().expect("valid"), "");
    }

    #[test]
    fn each_option_has_its_line_and_the_users_own_come_last() {
        let options = Options {
            max_payload: Some(1024),
            users: vec![("a".into(), "p\"\\$x".into())],
            tls: Some(Tls::new("cert.pem", "key.pem").with_client_ca("ca.pem")),
            text: "debug: true".into(),
            ..Options::default()
        };
        let expected = r#"max_payload: 1024
authorization { users: [{ user: "a", password: "p\"\\$x" }] }
tls { cert_file: "cert.pem", key_file: "key.pem", ca_file: "ca.pem", verify: true }
debug: true"#;
        assert_eq!(options.render().expect("valid"), expected);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let both = Options { token: Some("t".into()), users: vec![("a".into(), "b".into())], ..Options::default() };
        assert!(both.render().expect_err("both").to_string().contains("not both"));
        let zero = Options { max_payload: Some(0), ..Options::default() };
        assert!(zero.render().expect_err("zero").to_string().contains("max_payload"));
    }

    #[test]
    fn secrets_are_not_printed() {
        let options =
            Options { token: Some("hush".into()), users: vec![("a".into(), "hush".into())], ..Options::default() };
        assert!(!format!("{options:?}").contains("hush"));
    }
}
