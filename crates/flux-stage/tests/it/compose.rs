//! Combinators: what they make, how they fail, and that they allocate nothing.

use std::error::Error as _;
use std::num::ParseIntError;
use std::sync::Mutex;

use flux_core::{Error, ErrorKind, Failure, FailureClass, Stage};
use flux_stage::{StageError, StageExt, Then};

use crate::double::{Act, Double, Fault};

async fn parse(text: &str) -> Result<u32, ParseIntError> {
    text.parse()
}

#[tokio::test]
async fn a_failure_of_the_first_keeps_the_second_from_running() {
    let second = Double::default();
    let chain = Then::new(Double::new([Act::Fail(3)]), second.clone());
    assert_eq!(chain.process(1).await, Err(Fault::Boom(3)));
    assert_eq!(second.calls(), 0);
    assert_eq!(chain.process(1).await, Ok(1));
    assert_eq!(second.seen(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_chain_waits_for_each_of_its_stages() {
    let chain = Then::new(Double::new([Act::After(5)]), Double::new([Act::After(7)]));
    let start = tokio::time::Instant::now();
    assert_eq!(chain.process(1).await, Ok(1));
    assert_eq!(start.elapsed().as_millis(), 12);
}

#[tokio::test]
async fn functions_apply_to_what_a_stage_makes() {
    assert_eq!(parse.map(|n| n + 1).process("1").await, Ok(2));
    let small =
        parse.map_err(|error| error.to_string()).try_map(|n| u8::try_from(n).map_err(|error| error.to_string()));
    assert_eq!(small.process("255").await, Ok(255));
    assert!(small.process("256").await.unwrap_err().contains("out of range"));
    assert!(small.process("x").await.unwrap_err().contains("invalid digit"));
    assert_eq!(parse.filter(|n| *n > 1).process("1").await, Ok(None));
    assert_eq!(parse.filter(|n| *n > 1).flat_map(|n| [n; 2]).process("2").await, Ok(vec![2, 2]));
}

#[tokio::test]
async fn a_test_of_the_input_decides_whether_the_stage_runs() {
    let double = Double::default();
    let some = double.clone().only_if(|n| *n > 1);
    assert_eq!(some.process(1).await, Ok(None));
    assert_eq!(some.process(2).await, Ok(Some(2)));
    assert_eq!(double.seen(), [2]);
}

#[tokio::test]
async fn looks_see_input_output_and_error_without_changing_them() {
    let seen = Mutex::new(Vec::new());
    let note = |text: String| seen.lock().unwrap().push(text);
    let stage = parse
        .inspect(|n| note(format!("out {n}")))
        .inspect_err(|error| note(format!("error {error}")))
        .peek(|text| note(format!("in {text}")));
    assert_eq!(stage.process("4").await, Ok(4));
    assert!(stage.process("x").await.is_err());
    assert_eq!(*seen.lock().unwrap(), ["in 4", "out 4", "in x", "error invalid digit found in string"]);
}

#[tokio::test]
async fn an_error_is_swallowed_replaced_or_passed_on() {
    let stage = Double::new([Act::Fail(1), Act::Fail(2), Act::Fail(3)]).or_else(|error| match error {
        Fault::Boom(1) => Ok(0),
        Fault::Boom(2) => Err(Fault::Boom(20)),
        other => Err(other),
    });
    assert_eq!(stage.process(7).await, Ok(0));
    assert_eq!(stage.process(7).await, Err(Fault::Boom(20)));
    assert_eq!(stage.process(7).await, Err(Fault::Boom(3)));
}

#[tokio::test]
async fn a_named_stage_says_which_it_was() {
    let error = parse.named("parse").process("x").await.unwrap_err();
    assert_eq!(error.to_string(), "stage `parse` failed");
    assert_eq!(error.source().unwrap().to_string(), "invalid digit found in string");
    let failure = error.into_failure();
    assert_eq!(failure.to_string(), "stage `parse` failed: invalid digit found in string");
}

#[tokio::test]
async fn a_name_does_not_change_the_class_of_a_failure() {
    async fn useless(_: u32) -> Result<(), Failure> {
        Err(Failure::permanent("useless"))
    }
    async fn too_large(_: u32) -> Result<(), Error> {
        Err(Error::new(ErrorKind::TooLarge, ""))
    }
    let failure = useless.named("a").map_err(StageError::into_failure).process(1).await.unwrap_err();
    assert_eq!((failure.class(), failure.to_string().as_str()), (FailureClass::Permanent, "stage `a` failed: useless"));
    let failure = too_large.named("b").map_err(StageError::into_failure).process(1).await.unwrap_err();
    assert_eq!(failure.class(), FailureClass::Permanent);
}

#[tokio::test]
async fn boxed_and_shared_stages_are_stages() {
    let stages = [parse.boxed(), parse.map(|n| n * 2).boxed()];
    assert_eq!(stages[1].process("4").await, Ok(8));
    let shared = Double::default().shared();
    assert_eq!(shared.clone().process(3).await, shared.process(3).await);
}
