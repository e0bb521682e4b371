//! Messages as HTTP has them, and back: subjects as paths, headers as fields.

mod headers;
mod path;

pub(crate) use headers::append;
pub use headers::{headers, read_headers};
pub(crate) use path::append as append_path;
pub use path::{path, read_path};
