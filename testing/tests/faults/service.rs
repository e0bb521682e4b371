//! A service that is told to end: what it has finished is not done again by the next one.

use std::env;
use std::process::Stdio;
use std::time::Duration;

use flux_core::{Failure, Message, Publisher as _};
use flux_nats_server::Server;
use flux_router::{Route, Router, shutdown_signal};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::sleep;

use crate::tally::{Tally, count};
use crate::{Bus, Job, alone, bus, job, settled, start, stopped, stream_config, within};

/// Set in the service's process only: the server's URL.
const URL: &str = "FLUX_FAULTS_SERVICE";
/// And how long it may drain, in seconds.
const DRAIN: &str = "FLUX_FAULTS_DRAIN";

const ACK_WAIT: Duration = Duration::from_secs(2);
const HANDLER: Duration = Duration::from_secs(10);
const WORKERS: u64 = 4;
const WAITING: u64 = 4;

fn route<H, M>(bus: &Bus, handler: H) -> Route<Job, Bus, H, M> {
    Route::new("jobs.>", bus, handler).queue_group("workers").concurrency(4)
}

/// A long handler; the test hears of its begin and its end.
async fn work(job: Message<Job>) -> Result<(), Failure> {
    println!("began {}", job.payload.number);
    sleep(HANDLER).await;
    println!("finished {}", job.payload.number);
    Ok(())
}

/// The service, when this is its process.
async fn is_service() -> bool {
    let (Ok(url), Ok(drain)) = (env::var(URL), env::var(DRAIN)) else { return false };
    let bus = bus(&url, stream_config(), ACK_WAIT).await;
    let drain = Duration::from_secs(drain.parse().unwrap());
    let router = Router::new().add(route(&bus, work)).drain_for(drain);
    let report = router.run_until(shutdown_signal()).await.unwrap();
    println!("withheld {}", report.withheld);
    true
}

/// The service in a process of its own: this program, at the same test.
struct Service {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Service {
    fn start(test: &str, url: &str, drain: Duration) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]);
        command.env(URL, url).env(DRAIN, drain.as_secs().to_string());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The numbers that the next `count` lines of this kind tell.
    async fn told(&mut self, what: &str, count: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        while (numbers.len() as u64) < count {
            let line = self.lines.next_line().await.unwrap().expect("the service goes on");
            // The test harness writes to the same output.
            if let Some((kind, number)) = line.split_once(' ')
                && kind == what
            {
                numbers.push(number.parse().unwrap());
            }
        }
        numbers.sort_unstable();
        numbers
    }

    fn terminate(&self) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }
}

/// Publishes more than the service has workers for, and ends it when all of them are busy.
async fn ended(test: &str, server: &Server, bus: &Bus, drain: Duration) -> Service {
    for number in 0..WORKERS + WAITING {
        bus.send(job(number)).await.unwrap();
    }
    let mut service = Service::start(test, server.url(), drain);
    assert_eq!(service.told("began", WORKERS).await, (0..WORKERS).collect::<Vec<_>>());
    service.terminate();
    service
}

/// What a second service finds, and that nothing is left after it.
async fn found_by_the_next(bus: &Bus) -> Tally {
    let tally = Tally::default();
    let (handle, running) = start(Router::new().with_state(tally.clone()).add(route(bus, count))).await;
    settled(&handle).await;
    stopped(&handle, running).await;
    tally
}

#[tokio::test]
async fn what_a_service_finishes_after_its_signal_is_not_redelivered() {
    if is_service().await {
        return;
    }
    let (server, bus) = alone(ACK_WAIT).await;
    within(async {
        let mut service =
            ended("service::what_a_service_finishes_after_its_signal_is_not_redelivered", &server, &bus, HANDLER * 3)
                .await;
        assert_eq!(service.told("finished", WORKERS).await, (0..WORKERS).collect::<Vec<_>>());
        assert_eq!(service.told("withheld", 1).await, [0]);
        assert!(service.child.wait().await.unwrap().success());
        let tally = found_by_the_next(&bus).await;
        assert!(tally.calls().into_iter().eq((WORKERS..WORKERS + WAITING).map(|number| (number, 1))), "{tally:?}");
    })
    .await;
}

#[tokio::test]
async fn what_a_service_cannot_finish_in_time_goes_to_the_next() {
    if is_service().await {
        return;
    }
    let (server, bus) = alone(ACK_WAIT).await;
    within(async {
        let mut service = ended(
            "service::what_a_service_cannot_finish_in_time_goes_to_the_next",
            &server,
            &bus,
            Duration::from_secs(1),
        )
        .await;
        assert_eq!(service.told("withheld", 1).await, [WORKERS]);
        assert!(service.child.wait().await.unwrap().success());
        let tally = found_by_the_next(&bus).await;
        assert!(tally.calls().into_iter().eq((0..WORKERS + WAITING).map(|number| (number, 1))), "{tally:?}");
    })
    .await;
}
