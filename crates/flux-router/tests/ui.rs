//! The first error that somebody who writes a route reads names the fix.

#[test]
fn errors_name_the_fix() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
