//! The lines of a file or of standard input, as bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use flux::Bytes;

/// Where the lines come from.
pub(crate) struct Input {
    reader: Box<dyn BufRead + Send>,
    total: Option<u64>,
}

/// A line without its end.
pub(crate) struct RawLine {
    pub(crate) bytes: Bytes,
    /// How many bytes were read for it: its end too, and blank lines before it.
    pub(crate) read: u64,
}

impl Input {
    /// Opens the input; `None` is standard input.
    ///
    /// # Errors
    /// When the file cannot be read, saying which.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self { reader: Box::new(BufReader::new(io::stdin())), total: None }) };
        let refused = |why: &dyn std::fmt::Display| format!("cannot read {}: {why}", path.display());
        let file = File::open(path).map_err(|error| refused(&error))?;
        let about = file.metadata().ok();
        if about.as_ref().is_some_and(std::fs::Metadata::is_dir) {
            return Err(refused(&"it is a directory"));
        }
        // A pipe has no length, and neither has what the system makes up as it is read.
        let total = about.filter(std::fs::Metadata::is_file).map(|about| about.len()).filter(|bytes| *bytes > 0);
        Ok(Self { reader: Box::new(BufReader::new(file)), total })
    }

    /// How many bytes there are, where that is known before they are read.
    pub(crate) fn total(&self) -> Option<u64> {
        self.total
    }

    /// The next line that is not blank.
    ///
    /// # Errors
    /// When reading fails.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<RawLine>> {
        let mut read = 0;
        loop {
            let mut line = Vec::new();
            match self.reader.read_until(b'\n', &mut line)? {
                0 => return Ok(None),
                bytes => read += bytes as u64,
            }
            let end = line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
            line.truncate(end);
            if !line.trim_ascii().is_empty() {
                return Ok(Some(RawLine { bytes: line.into(), read }));
            }
        }
    }
}
