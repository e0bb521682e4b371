//! At least once, in memory.
