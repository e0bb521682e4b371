//! A server is killed while 8 publishers and 4 workers are busy, and what was stored is handled all the same.

use std::collections::BTreeSet;
use std::time::Duration;

use flux_core::Publisher as _;
use flux_nats_server::{Cluster, Server};
use flux_router::{Route, Router};
use flux_testing::Dice;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::tally::{Tally, count};
use crate::{Bus, alone, bus, job, settled, start, stopped, stream_config, within};

const PUBLISHERS: u64 = 8;
const WORKERS: usize = 4;
const EACH: u64 = 250;
const ACK_WAIT: Duration = Duration::from_secs(2);

/// What became of the messages of all publishers.
#[derive(Debug, Default)]
struct Published {
    stored: BTreeSet<u64>,
    /// No receipt came, so they are in the stream or not.
    unsure: BTreeSet<u64>,
}

impl Published {
    fn count(&self) -> usize {
        self.stored.len() + self.unsure.len()
    }
}

/// Publishes its share; what fails is not tried again by this caller.
async fn publish(bus: Bus, first: u64, published: watch::Sender<Published>) {
    for number in first..first + EACH {
        let receipt = bus.send(job(number)).await;
        published.send_modify(|published| {
            let list = if receipt.is_ok() { &mut published.stored } else { &mut published.unsure };
            list.insert(number);
        });
    }
}

/// Lets publishers and workers work, breaks something at a random moment, and compares what was stored with what was handled.
async fn work_through(bus: Bus, crash: impl AsyncFn(&Bus)) {
    let tally = Tally::default();
    let route = Route::new("jobs.>", &bus, count).queue_group("workers").concurrency(WORKERS);
    let (handle, running) = start(Router::new().with_state(tally.clone()).add(route)).await;

    let moment = usize::try_from(Dice::new().below(PUBLISHERS * EACH * 3 / 4)).unwrap();
    let published = watch::Sender::new(Published::default());
    let mut progress = published.subscribe();
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        publishers.spawn(publish(bus.clone(), publisher * EACH, published.clone()));
    }
    progress.wait_for(|published| published.count() > moment).await.unwrap();
    let before = progress.borrow().stored.len();
    crash(&bus).await;
    let after = progress.borrow().count();
    while let Some(ended) = publishers.join_next().await {
        ended.unwrap();
    }
    settled(&handle).await;
    let report = stopped(&handle, running).await;

    let Published { stored, unsure } = published.send_replace(Published::default());
    println!(
        "{} stored, {} unsure; {} of them handled, {} doubled; down from {before} to {after}",
        stored.len(),
        unsure.len(),
        tally.calls().len(),
        tally.doubled(),
    );
    assert_eq!(stored.len() + unsure.len(), usize::try_from(PUBLISHERS * EACH).unwrap());
    assert!(before < stored.len(), "publishing went on");
    assert_eq!(tally.lost(&stored), [0_u64; 0], "stored and never handled");
    let strangers: Vec<_> = tally.calls().into_keys().filter(|n| !stored.contains(n) && !unsure.contains(n)).collect();
    assert_eq!(strangers, [0_u64; 0], "handled and never published");
    assert_eq!(report.total().handled, tally.calls().values().sum::<u64>());
    // What is doubled was handled before the server was back, and the server had not written that down.
    assert!(tally.doubled() <= after as u64, "{} doubled", tally.doubled());
}

async fn kill(server: &Server) {
    server.kill().await.unwrap();
    server.start().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_stored_is_lost_when_the_server_is_killed() {
    let (server, bus) = alone(ACK_WAIT).await;
    within(work_through(bus, async |_| kill(&server).await)).await;
}

/// The name of the server that leads the stream.
async fn leader(bus: &Bus) -> String {
    let stream = bus.wire();
    let client = stream.jetstream().nats().client().clone();
    let raw = async_nats::jetstream::new(client).get_stream(stream.name()).await.unwrap();
    raw.cached_info().cluster.clone().unwrap().leader.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_stored_is_lost_when_the_leader_is_killed() {
    let cluster = Cluster::of(3).with_jetstream().start().await.unwrap();
    let bus = bus(cluster.url(), stream_config().with_replicas(3), ACK_WAIT).await;
    within(work_through(bus, async |bus| kill(cluster.server(&leader(bus).await).unwrap()).await)).await;
}
