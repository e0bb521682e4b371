//! Fallback: which errors it takes, and what the second stage gets.

use flux_core::Stage;
use flux_stage::Fallback;

use crate::double::{Act, Double, Fault};

#[tokio::test]
async fn the_second_stage_gets_the_input_the_first_failed_at() {
    let (first, second) = (Double::new([Act::Fail(1)]), Double::default());
    let stage = Fallback::new(first, second.clone());
    assert_eq!((stage.process(7).await, stage.process(8).await), (Ok(7), Ok(8)));
    assert_eq!(second.seen(), [7]);
}

#[tokio::test]
async fn other_errors_and_those_of_the_second_are_passed_on() {
    let (first, second) = (Double::new([Act::Fail(1), Act::Fail(2)]), Double::new([Act::Fail(3)]));
    let stage = Fallback::new(first, second.clone()).when(|error: &Fault| *error == Fault::Boom(2));
    assert_eq!(stage.process(1).await, Err(Fault::Boom(1)));
    assert_eq!(stage.process(2).await, Err(Fault::Boom(3)));
    assert_eq!(second.seen(), [2]);
}
