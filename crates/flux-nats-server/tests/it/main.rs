//! Each promise of the README, against a real server.
