//! Windows over streams: where they begin and end, and that no item is lost.

use std::time::Duration;

use flux_stage::{Session, Sliding, Tumbling};
use futures_util::{Stream, StreamExt as _, stream};
use proptest::prelude::*;
use tokio::time::{Instant, sleep, timeout};

use crate::double::ms;

/// Items that come at these milliseconds.
fn at(millis: impl IntoIterator<Item = u64>) -> impl Stream<Item = u64> {
    let start = Instant::now();
    stream::iter(millis).then(move |due| async move {
        tokio::time::sleep_until(start + ms(due)).await;
        due
    })
}

async fn windows(stream: impl Stream<Item = Vec<u64>>) -> Vec<Vec<u64>> {
    stream.collect().await
}

#[tokio::test(start_paused = true)]
async fn tumbling_ends_with_the_count_or_the_interval() {
    let times = [0, 10, 20, 30, 200, 290, 310];
    assert_eq!(windows(Tumbling::new(at(times), 3)).await, [vec![0, 10, 20], vec![30, 200, 290], vec![310]]);
    let both = Tumbling::new(at(times), 3).with_interval(ms(100));
    assert_eq!(windows(both).await, [vec![0, 10, 20], vec![30], vec![200, 290], vec![310]]);
    assert_eq!(windows(Tumbling::new(at([1, 2]), 0)).await, [[1], [2]]);
}

#[tokio::test(start_paused = true)]
async fn tumbling_is_on_time_while_nothing_comes() {
    let start = Instant::now();
    let endless = at([0]).chain(stream::pending());
    let mut windows = Box::pin(Tumbling::new(endless, 3).with_interval(ms(100)));
    assert_eq!(windows.next().await, Some(vec![0]));
    assert_eq!(start.elapsed(), ms(100));
    assert!(timeout(Duration::from_hours(1), windows.next()).await.is_err(), "no empty windows");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_dropped_loses_nothing() {
    let mut windows = Box::pin(Tumbling::new(at([0, 50, 100]), 3));
    assert!(timeout(ms(70), windows.next()).await.is_err());
    assert_eq!(windows.next().await, Some(vec![0, 50, 100]));
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_with_a_pause_or_the_count() {
    let times = [0, 90, 180, 300, 310, 500];
    assert_eq!(windows(Session::new(at(times), ms(100))).await, [vec![0, 90, 180], vec![300, 310], vec![500]]);
    let bounded = Session::new(at(times), ms(100)).with_count(2);
    assert_eq!(windows(bounded).await, [vec![0, 90], vec![180], vec![300, 310], vec![500]]);
}

#[tokio::test(start_paused = true)]
async fn sliding_by_count_overlaps_or_leaves_gaps() {
    let slide = |count, step| windows(Sliding::new(stream::iter(1..=7), count, step));
    assert_eq!(slide(3, 1).await, [[1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6], [5, 6, 7]]);
    assert_eq!(slide(2, 3).await, [[1, 2], [4, 5]]);
    assert_eq!(slide(0, 0).await.len(), 7);
}

#[tokio::test(start_paused = true)]
async fn sliding_by_time_shows_what_is_recent() {
    let slide = |count| windows(Sliding::by_time(at([0, 50, 120, 260, 700, 900]), ms(150), ms(100), count));
    let expected = [vec![0, 50], vec![120], vec![260], vec![260], vec![700]];
    assert_eq!(slide(9).await, expected);
    assert_eq!(slide(1).await, [[50], [120], [260], [260], [700]]);
}

#[tokio::test(start_paused = true)]
async fn sliding_by_time_is_on_time_when_there_is_always_an_item() {
    let endless = stream::iter(0_u64..).then(|n| async move {
        if n % 1_000 == 0 {
            sleep(ms(1)).await;
        }
        n
    });
    let mut windows = Box::pin(Sliding::by_time(endless, ms(20), ms(10), 5));
    assert_eq!(windows.next().await.map(|window| window.len()), Some(5));
}

proptest! {
    /// Whatever the pauses: tumbling windows and sessions hold each item once, in order, and none is empty.
    #[test]
    fn each_item_is_in_exactly_one_window(pauses in prop::collection::vec(0_u64..30, 0..60), count in 1_usize..6) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let times: Vec<u64> = pauses.iter().scan(0, |at, pause| { *at += pause; Some(*at) }).collect();
            let tumbling = windows(Tumbling::new(at(times.clone()), count).with_interval(ms(20))).await;
            let session = windows(Session::new(at(times.clone()), ms(15)).with_count(count)).await;
            for windows in [tumbling, session] {
                assert!(windows.iter().all(|window| (1..=count).contains(&window.len())));
                let shifted = windows.concat();
                assert_eq!(shifted.len(), times.len());
                assert!(shifted.is_sorted());
            }
        });
    }
}
