//! What tests of several crates share.

mod peer;

pub use peer::Peer;
