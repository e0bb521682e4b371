//! The errors of stages: each prints its own level and names its cause.

use std::error::Error as StdError;
use std::time::Duration;

use flux_core::{Error, Failure, FailureClass, Stage};
use flux_stage::{Backoff, CircuitConfig, FanOut, GuardError, Rate, StageExt};

use crate::double::{Act, Double, Fault, ms};

/// The texts of an error and its causes, outermost first.
fn levels(error: &(dyn StdError + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect()
}

fn fails() -> Double {
    Double::new([Act::Fail(1), Act::Fail(2), Act::Fail(3)])
}

#[tokio::test(start_paused = true)]
async fn what_holds_an_error_names_it_as_its_source() {
    let named = fails().named("book").process(1).await.unwrap_err();
    assert_eq!(levels(&named), ["stage `book` failed", "Boom(1)"]);
    let exhausted = fails().retry().with_backoff(Backoff::none()).process(1).await.unwrap_err();
    assert_eq!(levels(&exhausted), ["3 attempts failed, no attempt is left", "Boom(3)"]);
    let fan_out = FanOut::new([fails(), fails()]).collect_errors().process(1).await.unwrap_err();
    assert_eq!(levels(&fan_out), ["2 of 2 failed", "Boom(1)"]);
    assert_eq!(levels(&fan_out.failures()[1]), ["number 1 failed", "Boom(1)"]);
    let whole = |_: Vec<u32>| std::future::ready(Err::<Vec<u32>, _>(Fault::Boom(7)));
    let batch = whole.batch(1).process(1).await.unwrap_err();
    assert_eq!(levels(&batch), ["the batch failed", "Boom(7)"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_when_to_come_back_in_every_type_of_error() {
    async fn core(_: u32) -> Result<u32, Error> {
        Err(Error::new(flux_core::ErrorKind::Unavailable, "away"))
    }
    async fn handler(_: u32) -> Result<u32, Failure> {
        Err(Failure::retry("away"))
    }
    async fn guarded(_: u32) -> Result<u32, GuardError<Fault>> {
        Err(GuardError::Stage(Fault::Boom(0)))
    }
    async fn boxed(_: u32) -> Result<u32, Box<dyn StdError + Send + Sync>> {
        Err("away".into())
    }
    let config = || CircuitConfig::new().with_failures(1).with_reset_after(Duration::from_secs(30));
    let later = FailureClass::RetryAfter(Duration::from_secs(30));
    let levels_of_open = ["the circuit is open", "retry after 30s"];

    let core = core.circuit_breaker(config());
    let _ = core.process(1).await;
    let error = core.process(1).await.unwrap_err();
    assert_eq!(levels(&error)[1..], levels_of_open);
    assert_eq!(Failure::from(error).class(), later);

    let handler = handler.circuit_breaker(config());
    let _ = handler.process(1).await;
    let failure = handler.process(1).await.unwrap_err();
    assert_eq!((failure.class(), failure.to_string().as_str()), (later, "the circuit is open: retry after 30s"));

    let guarded = guarded.circuit_breaker(config());
    let _ = guarded.process(1).await;
    let error = guarded.process(1).await.unwrap_err();
    assert_eq!(levels(&error), levels_of_open);
    assert_eq!(Failure::from(error).class(), later);

    let boxed = boxed.circuit_breaker(config());
    let _ = boxed.process(1).await;
    assert_eq!(levels(&*boxed.process(1).await.unwrap_err()), levels_of_open);

    let limited = Double::default().rate_limit(Rate::new(1, ms(50)));
    limited.process(1).await.unwrap();
    let Err(Fault::Limited(refused)) = limited.process(1).await else { panic!("let through") };
    assert_eq!(levels(&refused), ["the rate limit is reached", "retry after 50ms"]);
}
