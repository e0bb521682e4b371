//! What flux over {{Name}} keeps, checked by the suite that every transport passes.

#[test]
fn declare_what_the_transport_keeps() {
    panic!("declare the capabilities of flux-{{name}} with `flux_conformance::transport_suite!`");
}
