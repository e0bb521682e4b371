//! The lines of a file or of standard input, as bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use flux::Bytes;

/// Opens the input; `None` is standard input.
///
/// # Errors
/// When the file cannot be read, saying which.
pub(crate) fn open(path: Option<&Path>) -> Result<Box<dyn BufRead + Send>, String> {
    let Some(path) = path else { return Ok(Box::new(BufReader::new(io::stdin()))) };
    match File::open(path) {
        Ok(file) if !file.metadata().is_ok_and(|about| about.is_dir()) => Ok(Box::new(BufReader::new(file))),
        Ok(_) => Err(format!("cannot read {}: it is a directory", path.display())),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// The next line that is not blank, without its end.
///
/// # Errors
/// When reading fails.
pub(crate) fn next_line(input: &mut dyn BufRead) -> io::Result<Option<Bytes>> {
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let end = line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
        line.truncate(end);
        if !line.trim_ascii().is_empty() {
            return Ok(Some(line.into()));
        }
    }
}
