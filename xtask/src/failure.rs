//! Why a step is red: one line per complaint, each naming its fix.

use std::fmt;

/// Every complaint of one step, so that one run shows all there is to fix.
#[derive(Debug)]
pub(crate) struct Failure {
    complaints: Vec<String>,
}

impl Failure {
    /// A failure unless the list is empty.
    pub(crate) fn unless_empty(complaints: Vec<String>) -> Result<(), Self> {
        if complaints.is_empty() { Ok(()) } else { Err(Self { complaints }) }
    }

    /// The same complaints, each led by the name of the step that made it.
    pub(crate) fn of_step(self, step: &str) -> Vec<String> {
        let lead = |complaint| format!("{step}: {complaint}");
        self.complaints.into_iter().map(lead).collect()
    }
}

impl From<String> for Failure {
    fn from(complaint: String) -> Self {
        Self { complaints: vec![complaint] }
    }
}

impl From<&str> for Failure {
    fn from(complaint: &str) -> Self {
        complaint.to_owned().into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.complaints.join("\n"))
    }
}
