//! The flights job.
fn main() {}
