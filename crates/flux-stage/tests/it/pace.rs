//! Throttle and Debounce: which of many inputs run, and when.

use flux_core::Stage;
use flux_stage::{Debounce, Throttle};
use futures_util::future::join_all;
use tokio::time::{Instant, advance, sleep};

use crate::double::{Double, ms};

#[tokio::test(start_paused = true)]
async fn throttle_runs_one_in_each_interval() {
    let double = Double::default();
    let throttle = Throttle::new(double.clone(), ms(100));
    for n in 0..10 {
        let is_due = n % 4 == 0;
        assert_eq!(throttle.process(n).await, Ok(is_due.then_some(n)), "{n}");
        advance(ms(25)).await;
    }
    assert_eq!(double.seen(), [0, 4, 8]);
}

#[tokio::test(start_paused = true)]
async fn debounce_runs_the_last_of_a_burst_once_it_is_quiet() {
    let double = Double::default();
    let debounce = Debounce::new(double.clone(), ms(100));
    let start = Instant::now();
    let debounce = &debounce;
    let burst = join_all((0..5).map(|n| async move {
        sleep(ms(u64::from(n) * 50)).await;
        let result = debounce.process(n).await;
        (result, start.elapsed())
    }))
    .await;
    let ended: Vec<_> = burst.iter().map(|(_, at)| at.as_millis()).collect();
    let results: Vec<_> = burst.into_iter().map(|(result, _)| result.unwrap()).collect();
    assert_eq!(results, [None, None, None, None, Some(4)]);
    assert_eq!(ended, [50, 100, 150, 200, 300], "each that is replaced ends at once");
    assert_eq!(debounce.process(9).await, Ok(Some(9)));
    assert_eq!(double.seen(), [4, 9]);
}
