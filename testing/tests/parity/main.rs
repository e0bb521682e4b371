//! The stream in memory is a stream of a real server: the same scenarios, once on each, with the same outcome.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::duplicate_mod, reason = "the same scenarios against either stream is what this is about")]

mod jetstream;
mod mem;
