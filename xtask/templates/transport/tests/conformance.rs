//! What flux over {{Name}} keeps, checked by the suite that every transport passes.

#[test]
fn declare_what_the_transport_keeps() {
    panic!("write a `Fixture` for flux-{{name}} and hand it to `flux_conformance::transport_suite!`");
}
