//! Timeout: what takes too long is dropped.

use std::pin::pin;

use flux_core::{Error, ErrorKind, Failure, Stage};
use flux_stage::{GuardError, Timeout};
use tokio::time::Instant;

use crate::double::{Act, Double, Fault, ms, poll_once};

#[tokio::test(start_paused = true)]
async fn what_is_in_time_passes() {
    assert_eq!(Timeout::new(Double::new([Act::After(99)]), ms(100)).process(1).await, Ok(1));
    assert_eq!(Timeout::new(Double::new([Act::FailAfter(99)]), ms(100)).process(1).await, Err(Fault::Boom(0)));
}

#[tokio::test(start_paused = true)]
async fn what_is_late_is_dropped() {
    let start = Instant::now();
    let double = Double::new([Act::After(101)]);
    let Err(Fault::Late(late)) = Timeout::new(double.clone(), ms(100)).process(1).await else { panic!("in time") };
    assert_eq!((late.limit(), start.elapsed()), (ms(100), ms(100)));
    assert_eq!(double.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_timeout_leaves_nothing_running() {
    let double = Double::new([Act::Hang]);
    let stage = Timeout::new(double.clone(), ms(100));
    {
        let mut call = pin!(stage.process(1));
        assert!(poll_once(call.as_mut()).is_pending());
        assert_eq!(double.running(), 1);
    }
    assert_eq!(double.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn every_common_error_can_say_so() {
    async fn core(_: u32) -> Result<u32, Error> {
        std::future::pending().await
    }
    async fn handler(_: u32) -> Result<u32, Failure> {
        std::future::pending().await
    }
    async fn other(_: u32) -> Result<u32, GuardError<String>> {
        std::future::pending().await
    }
    let error = Timeout::new(core, ms(1)).process(1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.is_retryable());
    assert_eq!(Timeout::new(handler, ms(1)).process(1).await.unwrap_err().to_string(), "timed out after 1ms");
    assert!(matches!(Timeout::new(other, ms(1)).process(1).await, Err(GuardError::TimedOut(_))));
}
