//! The first error a newcomer reads names the fix.

#[test]
fn errors_name_the_fix() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
