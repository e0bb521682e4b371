//! What a service and its endpoints say about themselves.

use std::borrow::Cow;
use std::collections::BTreeMap;

use flux_core::{Error, ErrorKind, Result};

/// The description of a service.
///
/// ```
/// use flux_nats::Service;
///
/// let pricing = Service::new("pricing", "1.4.0")?.with_description("Quotes for parcels").with_metadata("team", "rates");
/// assert!(Service::new("two words", "1.4.0").is_err());
/// # Ok::<(), flux_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    name: String,
    version: String,
    pub(super) description: String,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Service {
    /// A service with this name (letters, digits, `-` and `_`) and this semantic version.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for another name or version.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Result<Self> {
        let (name, version) = (name.into(), version.into());
        if !is_name(&name) {
            let text = format!("`{}` is not a service's name: letters, digits, `-` and `_`", name.escape_debug());
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        if !is_version(&version) {
            let text = format!("`{}` is not a semantic version, such as `1.4.0`", version.escape_debug());
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        Ok(Self { name, version, description: String::new(), metadata: BTreeMap::new() })
    }

    /// Says what it is for.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds to what it says about itself.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// The description of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) name: String,
    pub(super) group: Option<Cow<'static, str>>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Endpoint {
    /// An endpoint with this name: letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for another name.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if is_name(&name) {
            return Ok(Self { name, group: None, metadata: BTreeMap::new() });
        }
        let text = format!("`{}` is not an endpoint's name: letters, digits, `-` and `_`", name.escape_debug());
        Err(Error::new(ErrorKind::InvalidInput, text))
    }

    /// An endpoint named after what it listens to: `quotes.get` gives `quotes-get`.
    pub(super) fn named_after(filter: &str) -> Self {
        let plain = |c: char| match c {
            '.' => '-',
            c if c.is_ascii_alphanumeric() || c == '-' => c,
            _ => '_',
        };
        Self { name: filter.chars().map(plain).collect(), group: None, metadata: BTreeMap::new() }
    }

    /// Sets the queue group. Default: that of the bus.
    #[must_use]
    pub fn with_group(mut self, group: impl Into<Cow<'static, str>>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Adds to what it says about itself.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Describes requests and responses by their JSON Schema, as `request_schema` and `response_schema` of the metadata.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn with_schema<Req: schemars::JsonSchema, Resp: schemars::JsonSchema>(self) -> Self {
        let request = schemars::schema_for!(Req).to_value().to_string();
        let response = schemars::schema_for!(Resp).to_value().to_string();
        self.with_metadata("request_schema", request).with_metadata("response_schema", response)
    }
}

/// Names as ADR-32 has them.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Versions as semver.org has them: three numbers, and after them a pre-release and a build.
fn is_version(version: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_number = |number: &str| {
        number.bytes().all(|b| b.is_ascii_digit()) && (number == "0" || !(number.is_empty() || number.starts_with('0')))
    };
    let (version, build) = version.split_once('+').map_or((version, None), |(version, build)| (version, Some(build)));
    let (core, pre) = version.split_once('-').map_or((version, None), |(core, pre)| (core, Some(pre)));
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && [pre, build].into_iter().flatten().all(|words| words.split('.').all(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_checked() {
        for good in ["1.0.0", "0.10.2", "1.2.3-rc.1", "1.2.3+build-7", "1.2.3-a+b.c"] {
            assert!(Service::new("ok_Name-1", good).is_ok(), "{good}");
        }
        for bad in ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.x", "1.2.3-", "1.2.3+", "v1.2.3"] {
            assert!(Service::new("ok", bad).is_err(), "{bad}");
        }
        for bad in ["", "a.b", "a b", "ä", "*"] {
            assert!(Service::new(bad, "1.0.0").is_err(), "{bad}");
            assert!(Endpoint::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Endpoint::named_after("quotes.*.get.>").name, "quotes-_-get-_");
    }
}
