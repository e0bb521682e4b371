//! What a pipeline prints.

use flux_core::Stage;
use flux_stage::{FanOut, Pipeline, Route, StageExt};

use crate::double::{Act, Double, Fault};

#[cfg(all(
    feature = "batch",
    feature = "breaker",
    feature = "cache",
    feature = "hedge",
    feature = "limit",
    feature = "load",
    feature = "messaging",
    feature = "observe",
    feature = "pace",
    feature = "retry",
    feature = "spawn",
    feature = "timeout",
))]
#[test]
fn what_wraps_a_stage_is_drawn_around_it() {
    use flux_stage::{CircuitConfig, Describe as _, Rate};

    use crate::double::ms;

    let leaf = || Double::default().label("x");
    let around = |stage: &dyn flux_stage::Describe| {
        let text = stage.describe().to_string();
        let (_, rest) = text.split_once("subgraph s0[\"").expect("something is around it");
        assert!(rest.contains("[\"x\"]"), "{text}");
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let key = |n: &u32| *n;
    assert_eq!(around(&leaf().timeout(ms(1))), "timeout");
    assert_eq!(around(&leaf().circuit_breaker(CircuitConfig::new())), "circuit breaker");
    assert_eq!(around(&leaf().rate_limit(Rate::per_second(1))), "rate limit");
    assert_eq!(around(&leaf().bulkhead(1)), "bulkhead");
    assert_eq!(around(&leaf().load_shed(1)), "load shed");
    assert_eq!(around(&leaf().hedge(ms(1))), "hedge");
    assert_eq!(around(&leaf().cache(key, 1)), "cache");
    assert_eq!(around(&leaf().distinct(|n| Some(*n))), "distinct");
    assert_eq!(around(&leaf().throttle(ms(1))), "throttle");
    assert_eq!(around(&leaf().debounce(ms(1))), "debounce");
    assert_eq!(around(&leaf().skip(1)), "skip");
    assert_eq!(around(&leaf().take(1)), "take");
    assert_eq!(around(&leaf().retry()), "retry");
    assert_eq!(around(&leaf().map_each()), "each");
    assert_eq!(around(&leaf().map_each().batch(1)), "batch");
    let fallback = Pipeline::new("p", leaf().fallback(Double::default().label("y"))).to_string();
    assert!(fallback.contains("n1 -- \"on failure\" --> n3"), "{fallback}");
    let measured = leaf().metered("m").traced("t").peek(|_| ());
    assert_eq!(measured.describe(), leaf().describe(), "who only looks is not drawn");
    let bus = flux_mem::Mem::new();
    let bound = flux_core::bind(bus, flux_core::subject!("orders.total")).unwrap();
    assert_eq!(bound.describe().to_string(), "flowchart LR\n    n0[\"orders.total\"]\n");
}

#[test]
fn branches_and_loops_are_drawn() {
    let leaf = |name: &'static str| Double::default().label(name);
    let prices = FanOut::new([leaf("here"), leaf("there \"2\"")]).map(|_| 1);
    let route = Route::by(|n: &u32| *n).case(1, leaf("one")).case(2, leaf("two")).otherwise(leaf("many"));
    let pipeline = Pipeline::new("shop", prices.map_err(|_| Fault::Boom(0)).then(route));
    let expected = r#"flowchart LR
    subgraph s0["shop"]
        n1{"fan out"}
        n2["here"]
        n1 --> n2
        n3["there #quot;2#quot;"]
        n1 --> n3
        n4{"route"}
        n5["one"]
        n4 -- "1" --> n5
        n6["two"]
        n4 -- "2" --> n6
        n7["many"]
        n4 -- "otherwise" --> n7
        n2 --> n4
        n3 --> n4
    end
"#;
    assert_eq!(pipeline.to_string(), expected);
}

#[tokio::test]
async fn an_error_handler_swallows_replaces_or_passes_on() {
    let stage = Double::new([Act::Fail(1), Act::Fail(2), Act::Fail(3)]);
    let pipeline = Pipeline::new("p", stage).on_error(|error| match error {
        Fault::Boom(1) => Ok(100),
        Fault::Boom(2) => Err(Fault::Boom(200)),
        other => Err(other),
    });
    assert_eq!(pipeline.process(0).await, Ok(100));
    assert_eq!(pipeline.process(0).await, Err(Fault::Boom(200)));
    assert_eq!(pipeline.process(0).await, Err(Fault::Boom(3)));
    assert_eq!(pipeline.process(0).await, Ok(0));
}
