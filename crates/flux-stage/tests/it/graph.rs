//! What a pipeline prints.

use flux_core::Stage;
use flux_stage::{FanOut, Pipeline, Route, StageExt};

use crate::double::{Act, Double, Fault};

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
