//! Subjects of the form `domain.entity.event`, built token by token.

use crate::{Error, ErrorKind, Result, Subject, SubjectFilter};

/// The first token of a family of subjects: the part of the business that owns them.
///
/// ```
/// use flux_core::Domain;
///
/// let invoice = Domain::new("billing")?.entity("invoice")?;
/// assert_eq!(invoice.event("paid")?, "billing.invoice.paid");
/// assert_eq!(invoice.any_event().as_str(), "billing.invoice.*");
/// # Ok::<(), flux_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Domain(Subject);

/// A [`Domain`] and a thing in it. Its events are subjects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entity {
    domain: Domain,
    name: Subject,
}

impl Domain {
    /// A domain, for example `billing`. May have several tokens.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`].
    pub fn new(name: &str) -> Result<Self> {
        Subject::new(name).map(Self)
    }

    /// A thing in this domain, for example `invoice`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`], also for a name of several tokens: the filters of the domain would not match its events.
    pub fn entity(&self, name: &str) -> Result<Entity> {
        Ok(Entity { domain: self.clone(), name: self.0.join(one_token(name)?)? })
    }

    /// All that happens in this domain: `billing.>`.
    #[must_use]
    pub fn all(&self) -> SubjectFilter {
        suffixed(&self.0, ">")
    }

    /// One event of every entity: `billing.*.deleted`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`], also for a name of several tokens or a wildcard.
    pub fn any_entity(&self, event: &str) -> Result<SubjectFilter> {
        let event = Subject::new(one_token(event)?)?;
        SubjectFilter::new(&format!("{}.*.{event}", self.0))
    }
}

impl Entity {
    /// The domain this entity is in.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The subject of an event, for example `billing.invoice.paid`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`], also for a name of several tokens: [`any_event`](Self::any_event) would not match it.
    pub fn event(&self, name: &str) -> Result<Subject> {
        self.name.join(one_token(name)?)
    }

    /// Every event of this entity: `billing.invoice.*`.
    #[must_use]
    pub fn any_event(&self) -> SubjectFilter {
        suffixed(&self.name, "*")
    }
}

fn suffixed(subject: &Subject, wildcard: &str) -> SubjectFilter {
    // Only a subject of the greatest length has no room for the wildcard; it has no longer subjects to match either.
    SubjectFilter::new(&format!("{subject}.{wildcard}")).unwrap_or_else(|_| subject.clone().into())
}

/// Names often come from data, and one with a `.` in it would make a subject that nobody listens to.
fn one_token(name: &str) -> Result<&str> {
    if !name.contains('.') {
        return Ok(name);
    }
    let shown: String = name.chars().take(64).collect();
    let message = format!("`{}` has a `.` in it, but an entity or event is one token", shown.escape_debug());
    Err(Error::new(ErrorKind::InvalidSubject, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_matched_by_the_filters_of_its_domain() {
        let billing = Domain::new("eu.billing").unwrap();
        let invoice = billing.entity("invoice").unwrap();
        let paid = invoice.event("paid").unwrap();
        assert_eq!(paid, "eu.billing.invoice.paid");
        for filter in [billing.all(), billing.any_entity("paid").unwrap(), invoice.any_event()] {
            assert!(filter.matches(&paid), "{filter}");
        }
        assert_eq!(invoice.domain(), &billing);
    }

    #[test]
    fn a_name_that_is_not_one_token_is_refused_with_its_text() {
        let billing = Domain::new("billing").unwrap();
        let invoice = billing.entity("invoice").unwrap();
        for name in ["", "a.b", "a b", "*", ">", "a\n", ".", &"x.".repeat(5_000)] {
            let errors = [billing.entity(name).err(), invoice.event(name).err(), billing.any_entity(name).err()];
            for error in errors.map(|error| error.unwrap_or_else(|| panic!("`{name}` was taken"))) {
                assert_eq!(error.kind(), ErrorKind::InvalidSubject, "{name:?}");
                assert!(error.to_string().len() < 400 && !error.to_string().contains('\n'), "{error}");
            }
        }
        assert!(invoice.event("U.A").unwrap_err().to_string().contains("U.A"));
    }
}
