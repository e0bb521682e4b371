//! What tests of several crates share.

mod dice;
mod peer;

pub use dice::Dice;
pub use peer::Peer;
