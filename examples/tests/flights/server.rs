//! Over a nats-server: one that the test started, and so can look at.

use std::pin::Pin;

use flux::jetstream::JetStream;
use flux::nats::{Nats, NatsConfig, NatsDeliveries};
use flux::nats_server::{Server, ServerBuilder};
use flux::prelude::*;
use flux::{Bytes, next};
use serde_json::Value;

use crate::input::{changed, line};
use crate::{assert_counts, report, report_on, run, week};

/// Starts a server. Where there is none to start, that is a failure, which says how to get one.
pub(crate) async fn start(builder: ServerBuilder) -> Server {
    builder.start().await.unwrap_or_else(|error| panic!("{error}"))
}

/// All that is published on a server below a first token.
pub(crate) struct Witness {
    pub(crate) nats: Nats,
    seen: Pin<Box<NatsDeliveries>>,
    end: String,
}

impl Witness {
    pub(crate) async fn of(server: &Server, first: &str) -> Self {
        let nats = Nats::connect(server.url(), NatsConfig::new()).await.unwrap();
        let seen = Box::pin(Subscriber::<Bytes>::subscribe(&nats, &format!("{first}.>")).await.unwrap());
        // The server has the subscription when it has answered.
        nats.flush().await.unwrap();
        Self { nats, seen, end: format!("{first}.that.is.all") }
    }

    pub(crate) async fn next(&mut self) -> Message<Bytes> {
        next(self.seen.as_mut()).await.unwrap().unwrap().message
    }

    /// What was published so far by a program that has ended, by subject.
    async fn so_far(&mut self) -> Vec<(String, Message<Bytes>)> {
        self.nats.publish(&self.end, Bytes::new()).await.unwrap();
        let mut seen = Vec::new();
        loop {
            let message = self.next().await;
            if message.subject.as_str() == self.end {
                // Stable: what has one subject stays in order.
                seen.sort_by(|(one, _), (other, _): &(String, _)| one.cmp(other));
                return seen;
            }
            seen.push((message.subject.to_string(), message));
        }
    }
}

fn without_time(mut report: Value) -> Value {
    report.as_object_mut().unwrap().remove("elapsed_s").unwrap();
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_on_a_server_tells_what_one_in_memory_tells_and_knows_each_flight_again() {
    let server = start(Server::builder().with_jetstream()).await;
    let there = ["--json", "--transport", "jetstream", "--server", server.url()];
    let first = report(&run(&there, b""));
    let in_memory = report(&run(&["--json", "--transport", "stream"], b""));
    assert_eq!(without_time(first), without_time(in_memory));

    let lines = week().lines().count() as u64;
    let second = report(&run(&there, b""));
    assert_counts(&second, &[("lines", lines), ("decoded", lines), ("duplicates", lines), ("dead_letters", 0)]);
    assert_counts(&second, &[("alerts", 0), ("cancelled", 0), ("unknown_airlines", 0), ("retries", 0)]);
    assert_eq!(second["by_carrier"], serde_json::json!({}));

    // Both runs' lines, and the flights of one: the server did not store them twice.
    let stream = JetStream::connect(server.url()).await.unwrap().existing_stream("flights").await.unwrap();
    let stored = stream.info().await.unwrap().last_sequence;
    assert!((3 * lines..4 * lines).contains(&stored), "{stored} messages of {lines} lines");
}

#[tokio::test(flavor = "multi_thread")]
async fn core_nats_forgets_and_so_finds_the_same_again() {
    let server = start(Server::builder()).await;
    let there = ["--json", "--transport", "nats", "--server", server.url()];
    let (first, second) = (report(&run(&there, b"")), report(&run(&there, b"")));
    assert_counts(&first, &[("lines", week().lines().count() as u64), ("duplicates", 0)]);
    assert_eq!(without_time(first), without_time(second));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_goes_where_it_belongs_by_its_own_id() {
    let server = start(Server::builder()).await;
    let mut witnesses = Vec::new();
    for first in ["flights", "alerts", "cancelled", "dlq"] {
        witnesses.push(Witness::of(&server, first).await);
    }
    let on_time = changed(&[("dep_delay", 0.into()), ("origin", "JFK".into()), ("flight", 11.into())]);
    let late = changed(&[("dep_delay", 75.into()), ("origin", "LGA".into()), ("carrier", "DL".into())]);
    let cancelled = changed(&[("dep_time", Value::Null), ("dep_delay", Value::Null), ("sched_dep_time", 5.into())]);
    // Blanks, bytes that are no text, and a string without end.
    let broken = b"  {\"year\": 2013,\xff\x00\t\"car  ";
    let lines = [on_time.as_bytes(), late.as_bytes(), cancelled.as_bytes(), broken];
    let report = report_on(&["--transport", "nats", "--server", server.url()], &lines.join(&b'\n'));
    assert_counts(&report, &[("lines", 4), ("decoded", 3), ("dead_letters", 1), ("cancelled", 1), ("alerts", 1)]);

    let mut seen = Vec::new();
    for witness in &mut witnesses {
        seen.push(witness.so_far().await);
    }
    let [flights, alerts, cancellations, letters] = &seen[..] else { panic!("four") };
    let (raw, flights): (Vec<_>, Vec<_>) = flights.iter().partition(|(subject, _)| subject == "flights.raw");
    // As they were read, and in that order.
    assert_eq!(raw.iter().map(|(_, message)| &message.payload[..]).collect::<Vec<_>>(), lines);
    let ids: Vec<_> = flights.iter().map(|(subject, message)| (subject.as_str(), message.id().unwrap())).collect();
    let expected = [
        ("flights.EWR.UA", "UA-1545-EWR-IAH-2013-1-1-5"),
        ("flights.JFK.UA", "UA-11-JFK-IAH-2013-1-1-515"),
        ("flights.LGA.DL", "DL-1545-LGA-IAH-2013-1-1-515"),
    ];
    assert_eq!(ids, expected);
    for ((_, message), line) in flights.iter().zip([&cancelled, &on_time, &late]) {
        assert_eq!(json(&message.payload), json(line.as_bytes()));
    }

    let alert = only(alerts, "alerts.LGA");
    let told = serde_json::json!({"carrier": "DL", "airline": "Delta Air Lines Inc.", "flight": 1545, "dep_delay": 75});
    assert_eq!(json(&alert.payload), told);
    assert_eq!(json(&only(cancellations, "cancelled.EWR").payload), json(cancelled.as_bytes()));
    assert_eq!(only(letters, "dlq.flights.raw").payload, &broken[..], "its bytes are intact");
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[track_caller]
fn only<'a>(seen: &'a [(String, Message<Bytes>)], on: &str) -> &'a Message<Bytes> {
    let [(subject, message)] = seen else { panic!("one message: {seen:?}") };
    assert_eq!(subject, on);
    message
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_and_no_panic() {
    // Nothing listens on the port of a server that is down, and nobody else gets it.
    let server = start(Server::builder()).await;
    server.kill().await.unwrap();
    for transport in ["nats", "jetstream"] {
        let output = run(&["--transport", transport, "--server", server.url(), "--input", "-"], line(0).as_bytes());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.starts_with("flights: connect: ") && errors.lines().count() == 1, "{errors}");
        assert!(output.stdout.is_empty());
    }
}
