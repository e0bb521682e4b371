//! The handle of a connection, from which messages are sent and received.

use crate::error::NativeError;
use crate::wire::Native;
use crate::{{Name}}Config;

/// flux over {{Name}}. Cheap to clone; the caller owns the connection under it.
#[derive(Debug, Clone)]
pub struct {{Name}} {
    pub(crate) config: {{Name}}Config,
}

impl {{Name}} {
    /// Takes the options. Let it take the client that the caller has connected, too.
    #[must_use]
    pub fn new(config: {{Name}}Config) -> Self {
        Self { config }
    }

    /// Where the client library sends.
    pub(crate) fn write(&self, native: &Native) -> Result<(), NativeError> {
        let (bytes, limit) = (native.payload.len(), self.config.payload_bytes_max);
        if bytes > limit {
            return Err(NativeError::TooLarge { bytes, limit });
        }
        Err(NativeError::NotWritten { bytes })
    }

    /// Where the client library subscribes; what it returns yields messages as they come.
    pub(crate) fn read(filter: &str) -> Result<std::vec::IntoIter<Native>, NativeError> {
        Err(NativeError::NotRead { filter: filter.to_owned() })
    }
}
