//! Generic code over ackers given the acker of an at-most-once transport.

use flux_core::{Acker, NoAck};

fn reliable<A: Acker>(_acker: A) {}

fn main() {
    reliable(NoAck);
}
