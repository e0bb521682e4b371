//! Sending messages.

use flux_core::{Bytes, Message, Publisher, Result};

use crate::error::failed;
use crate::{wire, {{Name}}};

/// The receipt: what is true when a publish returns. Say here what that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent;

impl Publisher<Bytes> for {{Name}} {
    type Receipt = Sent;

    async fn send(&self, message: Message<Bytes>) -> Result<Sent> {
        let subject = message.subject.clone();
        let written = self.write(&wire::encode(message));
        written.map_err(|native| failed("publish", native).with_subject(subject))?;
        Ok(Sent)
    }
}
