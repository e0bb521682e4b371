//! Handlers slower than messages are patient: nothing is delivered twice for that.

use std::time::{Duration, Instant};

use flux_core::{Failure, Message, Publisher as _};
use flux_jetstream::ConsumerConfig;
use flux_router::{Route, Router, State};
use tokio::time::sleep;

use crate::tally::Tally;
use crate::{Bus, Job, alone, job, settled, start, stopped, within};

const ACK_WAIT: Duration = Duration::from_secs(1);
const WORKERS: usize = 2;

/// What the handlers share.
#[derive(Clone)]
struct Slow {
    tally: Tally,
    takes: Duration,
}

async fn work(job: Message<Job>, State(slow): State<Slow>) -> Result<(), Failure> {
    slow.tally.called(job.payload.number);
    sleep(slow.takes).await;
    Ok(())
}

/// Lets two workers handle that many messages which all waited for them.
async fn work_off(bus: &Bus, messages: u64, takes: Duration) {
    for number in 0..messages {
        bus.send(job(number)).await.unwrap();
    }
    let tally = Tally::default();
    let route = Route::new("jobs.>", bus, work).queue_group("workers").concurrency(WORKERS);
    let slow = Slow { tally: tally.clone(), takes };
    let (handle, running) = start(Router::new().with_state(slow).add(route)).await;
    let begun = Instant::now();
    settled(&handle).await;
    let (took, least) = (begun.elapsed(), takes * u32::try_from(messages.div_ceil(WORKERS as u64)).unwrap());
    assert!(took < least * 3 / 2 + ACK_WAIT, "the workers were not busy all the time: {took:?}, {least:?} suffice");
    let report = stopped(&handle, running).await;

    let config = ConsumerConfig::durable("workers").with_filter("jobs.>").with_ack_wait(ACK_WAIT);
    let delivered = bus.wire().consumer(config).await.unwrap().info().await.unwrap().delivered;
    println!("{messages} stored, {} handled, {delivered} delivered", report.total().handled);
    assert_eq!(tally.calls().len() as u64, messages, "every message was handled");
    assert_eq!(tally.doubled(), 0, "and none twice");
    assert_eq!(delivered, messages, "the server delivered none twice");
}

#[tokio::test]
async fn a_backlog_behind_slow_handlers_is_delivered_once() {
    let (_server, bus) = alone(ACK_WAIT).await;
    within(work_off(&bus, 200, Duration::from_millis(300))).await;
}

#[tokio::test]
async fn a_handler_three_times_slower_than_its_ack_wait_gets_one_delivery() {
    let (_server, bus) = alone(ACK_WAIT).await;
    within(work_off(&bus, 1, ACK_WAIT * 3)).await;
}
