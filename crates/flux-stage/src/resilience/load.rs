//! How much may be in flight.

mod bulkhead;
mod shed;

pub use bulkhead::Bulkhead;
pub use shed::LoadShed;
