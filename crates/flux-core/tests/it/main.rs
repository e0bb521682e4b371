//! flux-core over a byte transport that knows nothing of it but the traits.

mod bad_input;
mod bound;
mod ids;
mod number;
mod object_safe;
mod requests;
mod typed;
mod wire;

use flux_core::Typed;

/// Numbers as text over the wire.
type Numbers = Typed<wire::Wire, number::Decimal>;
