//! What the compiler says to a newcomer: each first error names the fix.

#[test]
fn the_compiler_names_the_fix() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
