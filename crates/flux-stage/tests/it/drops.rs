//! Dropped in the middle, no stage leaves anything running, and the next call finds its place free.

use std::pin::pin;

use flux_core::{BoxStage, Stage};
use flux_stage::{CircuitConfig, FanOut, MapEach, Pipeline, Race, Rate, RoundRobin, Route, StageExt};

use crate::double::{Act, Double, Fault, ms, poll_once};

type Wrapped = BoxStage<u32, (), Fault>;

/// Whatever wraps one call, around `stage`.
fn wrapped(stage: &Double) -> Vec<(&'static str, Wrapped)> {
    let inner = || stage.clone();
    let key = |n: &u32| *n;
    let first = |fault: flux_stage::FanOutError<Fault>| fault.into_failures().remove(0).error;
    vec![
        ("then", inner().then(inner()).map(drop).boxed()),
        ("fallback", inner().fallback(inner()).map(drop).boxed()),
        ("pipeline", Pipeline::new("p", inner()).map(drop).boxed()),
        ("timeout", inner().timeout(ms(1_000)).map(drop).boxed()),
        ("retry", inner().retry().map(drop).map_err(|_| Fault::Boom(0)).boxed()),
        ("circuit breaker", inner().circuit_breaker(CircuitConfig::new()).map(drop).boxed()),
        ("rate limit", inner().rate_limit(Rate::per_second(1_000).with_burst(9)).map(drop).boxed()),
        ("bulkhead", inner().bulkhead(1).map(drop).boxed()),
        ("load shed", inner().load_shed(1).map(drop).boxed()),
        ("hedge", inner().hedge(ms(1_000)).map(drop).boxed()),
        ("cache", inner().cache(key, 9).map(drop).boxed()),
        ("distinct", inner().distinct(|n| Some(*n)).map(drop).boxed()),
        ("metered", inner().metered("m").map(drop).boxed()),
        ("traced", inner().traced("t").map(drop).boxed()),
        ("fan out", FanOut::new([inner()]).map(drop).map_err(first).boxed()),
        ("race", Race::new([inner()]).unwrap().map(drop).map_err(first).boxed()),
        ("round robin", RoundRobin::new([inner()]).unwrap().map(drop).boxed()),
        ("route", Route::by(key).case(0, inner()).otherwise(inner()).map(drop).boxed()),
        ("map each", Each(MapEach::new(inner())).boxed()),
    ]
}

/// Maps a `Vec` of its one input.
struct Each(MapEach<Double>);

impl Stage<u32> for Each {
    type Out = ();
    type Error = Fault;

    async fn process(&self, input: u32) -> Result<(), Fault> {
        self.0.process(vec![input]).await.map(drop).map_err(|error| error.into_failures().remove(0).error)
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_leaves_nothing_running_and_gives_its_place_back() {
    let double = Double::default();
    for (name, stage) in wrapped(&double) {
        Double::then(&double, [Act::Hang]);
        {
            let mut call = pin!(stage.process(1));
            assert!(poll_once(call.as_mut()).is_pending(), "{name}");
            assert_eq!(double.running(), 1, "{name}");
        }
        assert_eq!(double.running(), 0, "{name}");
        tokio::time::advance(ms(10_000)).await;
        let before = double.calls();
        stage.process(1).await.unwrap_or_else(|fault| panic!("{name} is not free again: {fault}"));
        assert!(double.calls() > before, "{name} ran again: what was dropped did not succeed");
        assert_eq!(double.running(), 0, "{name}");
    }
}
