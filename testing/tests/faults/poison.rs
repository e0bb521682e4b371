//! Messages that no handler can take: a dead letter is stored first, and nothing else is held up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flux_codec::Json;
use flux_core::{
    Delivery, Error, ErrorKind, Failure, Forwarded, Message, Publisher, Result, Subscriber as _, header, next,
};
use flux_jetstream::ConsumerConfig;
use flux_nats_server::Server;
use flux_router::{Ladder, Route, Router, State};

use crate::tally::Tally;
use crate::{Bus, Job, alone, job, settled, start, stopped, within};

const ACK_WAIT: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 4;
const POISON: u64 = 3;

async fn work(job: Message<Job>, State(tally): State<Tally>) -> Result<(), Failure> {
    tally.called(job.payload.number);
    if job.payload.number == POISON { Err(Failure::retry("cannot be digested")) } else { Ok(()) }
}

fn ladder(attempts: u32) -> Ladder {
    Ladder::new().with_attempts(attempts).with_delays(Duration::from_millis(20), Duration::from_millis(50))
}

async fn publish_ten(bus: &Bus) {
    for number in 0..10 {
        bus.send(job(number)).await.unwrap();
    }
}

/// Every job was handled once, but the poison as often as this.
fn assert_called(tally: &Tally, poison: u64) {
    let expected = (0..10).map(|number| (number, if number == POISON { poison } else { 1 }));
    assert!(tally.calls().into_iter().eq(expected), "{:?}", tally.calls());
}

/// The dead letters, oldest first.
async fn letters(bus: &Bus) -> Vec<Message<Job>> {
    let mut letters = Vec::new();
    let mut deliveries = Box::pin(bus.subscribe("dlq.>").await.unwrap());
    // The sentinel is behind all of them.
    bus.publish("dlq.end", Job { number: u64::MAX }).await.unwrap();
    loop {
        let delivery: Delivery<Job, _> = next(deliveries.as_mut()).await.unwrap().unwrap();
        if delivery.message.payload.number == u64::MAX {
            return letters;
        }
        letters.push(delivery.message);
    }
}

#[tokio::test]
async fn poison_becomes_a_dead_letter_and_the_rest_flows() {
    let (_server, bus) = alone(ACK_WAIT).await;
    publish_ten(&bus).await;
    let tally = Tally::default();
    let route = Route::new("jobs.>", &bus, work).named("jobs").queue_group("workers").ladder(ladder(ATTEMPTS));
    let (handle, running) = start(Router::new().with_state(tally.clone()).add(route)).await;
    within(settled(&handle)).await;
    let total = stopped(&handle, running).await.total();
    assert_called(&tally, u64::from(ATTEMPTS));
    assert_eq!((total.handled, total.dead_lettered, total.lost), (9, 1, 0));

    let letters = within(letters(&bus)).await;
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!((letter.subject.as_str(), letter.payload), ("dlq.jobs.new", Job { number: POISON }));
    let place = (POISON + 1).to_string();
    for (name, value) in [
        (header::ORIGINAL_SUBJECT, "jobs.new"),
        (header::ERROR, "cannot be digested"),
        (header::ERROR_CLASS, "retry"),
        (header::RETRY_COUNT, "4"),
        (header::HANDLER, "jobs"),
        (header::STREAM, "jobs"),
        (header::SEQUENCE, &place),
    ] {
        assert_eq!(letter.headers.get(&name), Some(value), "{name:?}");
    }
}

#[tokio::test]
async fn the_last_delivery_that_the_server_makes_leaves_a_dead_letter() {
    let (_server, bus) = alone(ACK_WAIT).await;
    publish_ten(&bus).await;
    let tally = Tally::default();
    let limited = ConsumerConfig::ephemeral().with_ack_wait(ACK_WAIT).with_max_deliver(2);
    let limited = bus.wire().clone().with_consumer_defaults(limited).typed(Json);
    let route = Route::new("jobs.>", &limited, work).queue_group("workers").ladder(ladder(ATTEMPTS));
    // The server would think the delivery abandoned long before there is anyone to take the letter.
    let route = route.dead_letters_through(Away { bus: bus.clone(), until: Instant::now() + ACK_WAIT * 3 });
    let (handle, running) = start(Router::new().with_state(tally.clone()).add(route)).await;
    within(settled(&handle)).await;
    let total = stopped(&handle, running).await.total();
    assert_eq!((total.dead_lettered, total.lost), (1, 0));
    assert_called(&tally, 2);
    let letters = within(letters(&bus)).await;
    assert_eq!(letters.iter().map(|letter| letter.payload.number).collect::<Vec<_>>(), [POISON]);
}

/// Takes nothing for a while.
struct Away {
    bus: Bus,
    until: Instant,
}

impl Publisher<Job> for Away {
    type Receipt = ();

    async fn send(&self, message: Message<Job>) -> Result<()> {
        self.forward(message.map(Forwarded::Value)).await
    }

    async fn forward(&self, letter: Message<Forwarded<Job>>) -> Result<()> {
        if Instant::now() < self.until {
            return Err(Error::new(ErrorKind::Unavailable, "nobody is there to take it"));
        }
        self.bus.forward(letter).await
    }
}

/// How a server goes down.
#[derive(Clone, Copy, PartialEq)]
enum Down {
    /// At once: it forgets what it has delivered.
    Killed,
    /// In order: it writes down how often it has delivered each message.
    Stopped,
}

/// Takes the server down and starts it again when the first dead letter is to be stored.
#[derive(Clone)]
struct Restarting {
    bus: Bus,
    server: Arc<Server>,
    down: Down,
    /// Whether the letter is stored before.
    stores: bool,
    done: Arc<AtomicBool>,
}

impl Restarting {
    async fn restart_once(&self) -> Result<()> {
        if self.done.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        match self.down {
            Down::Killed => self.server.kill().await?,
            Down::Stopped => self.server.stop().await?,
        }
        self.server.start().await?;
        Err(Error::new(ErrorKind::Unavailable, "the receipt was lost with the server"))
    }
}

impl Publisher<Job> for Restarting {
    type Receipt = ();

    async fn send(&self, message: Message<Job>) -> Result<()> {
        self.forward(message.map(Forwarded::Value)).await
    }

    async fn forward(&self, letter: Message<Forwarded<Job>>) -> Result<()> {
        if !self.stores {
            self.restart_once().await?;
        }
        self.bus.forward(letter).await?;
        self.restart_once().await
    }
}

/// Lets a router digest the poison while the server goes down over its dead letter.
async fn digest_while_the_server_is_down(down: Down, stores: bool) {
    let (server, bus) = alone(ACK_WAIT).await;
    publish_ten(&bus).await;
    let tally = Tally::default();
    let letters_to = Restarting { bus: bus.clone(), server: Arc::new(server), down, stores, done: Arc::default() };
    let route = Route::new("jobs.>", &bus, work).queue_group("workers").ladder(ladder(2));
    let route = route.dead_letters_through(letters_to.clone());
    let (handle, running) = start(Router::new().with_state(tally.clone()).add(route)).await;
    settled(&handle).await;
    let total = stopped(&handle, running).await.total();
    let letters: Vec<_> = letters(&bus).await.into_iter().map(|letter| letter.payload.number).collect();
    println!("{} calls, {} doubled, {total:?}", tally.calls()[&POISON], tally.doubled());
    assert!(letters_to.done.load(Ordering::SeqCst));
    assert_eq!(tally.lost(&(0..10).collect()), [0_u64; 0]);
    assert_eq!(letters, [POISON], "one dead letter, neither lost nor doubled");
    assert_eq!((total.dead_lettered, total.lost), (1, 0));
    if down == Down::Stopped {
        assert_called(&tally, 2);
    }
}

#[tokio::test]
async fn an_original_is_kept_when_its_dead_letter_could_not_be_stored() {
    within(Box::pin(digest_while_the_server_is_down(Down::Stopped, false))).await;
}

#[tokio::test]
async fn an_original_outlives_a_crash_before_its_dead_letter_is_stored() {
    within(Box::pin(digest_while_the_server_is_down(Down::Killed, false))).await;
}

#[tokio::test]
async fn a_dead_letter_is_not_doubled_by_a_restart_before_its_original_is_acked() {
    within(Box::pin(digest_while_the_server_is_down(Down::Stopped, true))).await;
}

#[tokio::test]
async fn a_dead_letter_is_not_doubled_by_a_crash_before_its_original_is_acked() {
    within(Box::pin(digest_while_the_server_is_down(Down::Killed, true))).await;
}
