//! A stage that is a plain function.

use flux_core::Stage;

fn half(n: u32) -> Result<u32, String> {
    Ok(n / 2)
}

fn runs<S: Stage<u32>>(_stage: S) {}

fn main() {
    runs(half);
}
