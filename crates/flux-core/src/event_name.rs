//! Subjects of the form `domain.entity.event`, built token by token.

use crate::{Result, Subject, SubjectFilter};

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
    /// [`ErrorKind::InvalidSubject`](crate::ErrorKind::InvalidSubject).
    pub fn new(name: &str) -> Result<Self> {
        Subject::new(name).map(Self)
    }

    /// A thing in this domain, for example `invoice`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`](crate::ErrorKind::InvalidSubject).
    pub fn entity(&self, name: &str) -> Result<Entity> {
        Ok(Entity { domain: self.clone(), name: self.0.join(name)? })
    }

    /// All that happens in this domain: `billing.>`.
    #[must_use]
    pub fn all(&self) -> SubjectFilter {
        suffixed(&self.0, ">")
    }

    /// One event of every entity: `billing.*.deleted`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`](crate::ErrorKind::InvalidSubject).
    pub fn any_entity(&self, event: &str) -> Result<SubjectFilter> {
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
    /// [`ErrorKind::InvalidSubject`](crate::ErrorKind::InvalidSubject).
    pub fn event(&self, name: &str) -> Result<Subject> {
        self.name.join(name)
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
