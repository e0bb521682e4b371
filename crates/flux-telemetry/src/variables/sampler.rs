//! Which traces are recorded, as the operator says it.

use flux_core::Result;
use opentelemetry_sdk::trace::Sampler;

use super::{Variables, unknown};

impl Variables<'_> {
    /// The sampler that the operator asks for. OpenTelemetry would take what it does not know for all traces.
    pub(crate) fn sampler(&self) -> Result<Option<Sampler>> {
        const NAME: &str = "OTEL_TRACES_SAMPLER";
        const KNOWN: &str = "`always_on`, `always_off`, `traceidratio`, and each with `parentbased_` before it";
        let Some(name) = self.find(NAME) else { return Ok(None) };
        let (follows, root) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, name.as_str()),
        };
        let sampler = match root {
            "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => Sampler::TraceIdRatioBased(self.ratio()?),
            _ => return Err(unknown(NAME, &name, KNOWN)),
        };
        Ok(Some(if follows { Sampler::ParentBased(Box::new(sampler)) } else { sampler }))
    }

    /// Default 1, as the specification demands.
    fn ratio(&self) -> Result<f64> {
        const NAME: &str = "OTEL_TRACES_SAMPLER_ARG";
        let Some(text) = self.find(NAME) else { return Ok(1.0) };
        let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.ok_or_else(|| unknown(NAME, &text, "numbers from 0 to 1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variables::tests::{refuses, variables};

    #[test]
    fn each_sampler_is_known_by_its_name() {
        for (name, expected) in [
            ("always_on", "AlwaysOn"),
            ("always_off", "AlwaysOff"),
            ("traceidratio", "TraceIdRatioBased(0.25)"),
            ("parentbased_always_on", "ParentBased(AlwaysOn)"),
            ("parentbased_always_off", "ParentBased(AlwaysOff)"),
            ("parentbased_traceidratio", "ParentBased(TraceIdRatioBased(0.25))"),
        ] {
            let asked = variables(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", "0.25")]).sampler();
            assert_eq!(format!("{:?}", asked.expect(name).expect(name)), expected);
        }
        let all = variables(&[("OTEL_TRACES_SAMPLER", "traceidratio")]).sampler().expect("known");
        assert_eq!(format!("{all:?}"), "Some(TraceIdRatioBased(1.0))");
        assert!(variables(&[]).sampler().expect("none").is_none());
    }

    #[test]
    fn what_is_unknown_is_refused_and_not_taken_for_all_traces() {
        let bad = ["xray", "jaeger_remote", "parentbased_xray", "parentbased_", "ALWAYS_OFF"];
        refuses("OTEL_TRACES_SAMPLER", &bad, Variables::sampler);
        for ratio in ["1%", "1.5", "-0.1", "NaN", "0,5"] {
            let asked = variables(&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", ratio)]);
            assert!(asked.sampler().expect_err(ratio).to_string().contains(ratio));
        }
    }
}
