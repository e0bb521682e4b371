//! Random operations on a stream and on the reference beside it: both hold, deliver and count the same after each.
#![expect(clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Consumer as _, ErrorKind, Message, Publisher as _};
use flux_mem::{ConsumerConfig, DeliverPolicy, Discard, Mem, MemConsumer, MemStream, Retention};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tokio::time::Instant;

use crate::reference::{ACK_WAIT, Limits, Receipt, Reference, SUBJECTS, Stand, Wishes};
use crate::{Taken, config};

#[derive(Debug, Clone)]
enum Step {
    Publish {
        subject: usize,
        len: usize,
        id: Option<u64>,
    },
    Add {
        name: usize,
        wishes: Wishes,
    },
    Delete {
        name: usize,
    },
    Fetch {
        name: usize,
        max: usize,
    },
    /// What becomes of the nth delivery that is held.
    Ack(usize),
    Nak(usize),
    NakAfter(usize, u64),
    Term(usize),
    Progress(usize),
    Forget(usize),
    Purge {
        subject: usize,
    },
    Advance(u64),
}

fn wishes() -> impl Strategy<Value = Wishes> {
    let deliver = prop_oneof![
        4 => Just(DeliverPolicy::All),
        1 => Just(DeliverPolicy::New),
        1 => Just(DeliverPolicy::Last),
        2 => Just(DeliverPolicy::LastPerSubject),
        1 => (1..40_u64).prop_map(DeliverPolicy::FromSequence),
    ];
    let subjects = subsequence(vec![0, 1, 2], 0..3);
    let most = prop::option::of(1..4_u64);
    (subjects, deliver, most, 1..6_usize).prop_map(|(subjects, deliver, max_deliver, max_ack_pending)| Wishes {
        subjects,
        deliver,
        max_deliver,
        max_ack_pending,
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let retention = select(vec![Retention::Limits, Retention::Interest, Retention::WorkQueue]);
    let seconds = || (1..120_u64).prop_map(Duration::from_secs);
    let counts = (prop::option::of(1..8_u64), prop::option::of(1..4_u64), prop::option::of(20..120_u64));
    let rest = (prop::option::of(seconds()), seconds());
    (retention, select(vec![Discard::Old, Discard::New]), counts, rest).prop_map(
        |(retention, discard, (messages, per_subject, bytes), (age, window))| Limits {
            retention,
            discard,
            messages,
            per_subject,
            bytes,
            age,
            window: age.map_or(window, |age| age.min(window)),
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let which = any::<usize>;
    prop_oneof![
        8 => (0..3_usize, 0..30_usize, prop::option::weighted(0.3, 0..6_u64))
            .prop_map(|(subject, len, id)| Step::Publish { subject, len, id }),
        2 => (0..3_usize, wishes()).prop_map(|(name, wishes)| Step::Add { name, wishes }),
        1 => (0..3_usize).prop_map(|name| Step::Delete { name }),
        8 => (0..3_usize, 1..5_usize).prop_map(|(name, max)| Step::Fetch { name, max }),
        4 => which().prop_map(Step::Ack),
        2 => which().prop_map(Step::Nak),
        2 => (which(), 1..90_u64).prop_map(|(which, delay)| Step::NakAfter(which, delay)),
        1 => which().prop_map(Step::Term),
        1 => which().prop_map(Step::Progress),
        1 => which().prop_map(Step::Forget),
        1 => (0..3_usize).prop_map(|subject| Step::Purge { subject }),
        3 => (1..40_u64).prop_map(Step::Advance),
    ]
}

/// A stream and what it should be.
struct Pair {
    stream: MemStream,
    reference: Reference,
    consumers: BTreeMap<usize, MemConsumer>,
    /// Deliveries nobody has settled, with their reader and its generation: an old one's settlements do nothing.
    held: Vec<(usize, u64, Taken)>,
    generations: BTreeMap<usize, u64>,
}

impl Pair {
    fn new(limits: Limits) -> Self {
        let mut config = config().with_retention(limits.retention).with_discard(limits.discard);
        config = config.with_duplicate_window(limits.window);
        config = limits.messages.map_or(config.clone(), |most| config.with_max_messages(most));
        config = limits.per_subject.map_or(config.clone(), |most| config.with_max_messages_per_subject(most));
        config = limits.bytes.map_or(config.clone(), |most| config.with_max_bytes(most));
        config = limits.age.map_or(config.clone(), |age| config.with_max_age(age));
        let (consumers, held, generations) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        Self { stream: Mem::stream(config).unwrap(), reference: Reference::new(limits), consumers, held, generations }
    }

    async fn publish(&mut self, subject: usize, len: usize, id: Option<u64>) -> Result<(), TestCaseError> {
        let mut message = Message::new(SUBJECTS[subject], Bytes::from(vec![0; len])).unwrap();
        let mut bytes = SUBJECTS[subject].len() + len;
        if let Some(id) = id {
            message = message.with_id(id.to_string()).unwrap();
            bytes += "NATS/1.0\r\nX-Message-ID: 1\r\n\r\n".len();
        }
        let found = match self.stream.send(message).await {
            Ok(stored) => Receipt::Stored { sequence: stored.sequence, duplicate: stored.duplicate },
            Err(error) if error.kind() == ErrorKind::Full => Receipt::Full,
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::TooLarge);
                Receipt::TooLarge
            }
        };
        let bytes = u64::try_from(bytes).unwrap();
        prop_assert_eq!(found, self.reference.publish(subject, bytes, id, Instant::now()));
        Ok(())
    }

    fn add(&mut self, name: usize, wishes: Wishes) -> Result<(), TestCaseError> {
        if self.consumers.contains_key(&name) {
            return Ok(());
        }
        let mut config = ConsumerConfig::durable(name.to_string())
            .with_deliver_policy(wishes.deliver)
            .with_max_ack_pending(wishes.max_ack_pending);
        for subject in &wishes.subjects {
            config = config.with_filter(SUBJECTS[*subject]);
        }
        config = wishes.max_deliver.map_or(config.clone(), |most| config.with_max_deliver(most));
        let consumer = self.stream.consumer(config);
        prop_assert_eq!(consumer.is_ok(), self.reference.add(name, wishes));
        if let Ok(consumer) = consumer {
            self.consumers.insert(name, consumer);
            *self.generations.entry(name).or_default() += 1;
        }
        Ok(())
    }

    async fn fetch(&mut self, name: usize, max: usize) -> Result<(), TestCaseError> {
        let Some(consumer) = self.consumers.get(&name) else { return Ok(()) };
        let batch = consumer.fetch(max, Duration::ZERO).await.unwrap();
        // An empty fetch takes a moment.
        self.reference.tick(Instant::now());
        let reader = self.reference.readers.get_mut(&name).unwrap();
        let (due, waiting) = reader.available();
        prop_assert_eq!(batch.len(), max.min(due + waiting));
        for taken in batch {
            let taken = taken.unwrap();
            let about = &taken.metadata;
            let deliveries = reader.deliver(about.sequence.unwrap(), Instant::now());
            prop_assert_eq!((deliveries.is_some(), about.delivered), (true, deliveries));
            prop_assert_eq!(about.consumer_sequence, Some(reader.delivered));
            let waiting = reader.stands.values().filter(|stand| **stand == Stand::Waiting).count();
            prop_assert_eq!(about.pending, Some(u64::try_from(waiting).unwrap()));
            self.held.push((name, self.generations[&name], taken));
        }
        Ok(())
    }

    async fn settle(&mut self, step: Step, which: usize) {
        if self.held.is_empty() {
            return;
        }
        let which = which % self.held.len();
        let now = Instant::now();
        if matches!(step, Step::Progress(_)) {
            let (name, generation, taken) = &self.held[which];
            taken.progress().await.unwrap();
            if self.generations[name] == *generation {
                self.reference.again(*name, taken.metadata.sequence.unwrap(), now + ACK_WAIT, now);
            }
            return;
        }
        let (name, generation, taken) = self.held.swap_remove(which);
        let sequence = taken.metadata.sequence.unwrap();
        let current = self.generations[&name] == generation;
        match step {
            Step::Ack(_) => taken.ack().await.unwrap(),
            Step::Term(_) => taken.term("no use").await.unwrap(),
            Step::Nak(_) => taken.nak().await.unwrap(),
            Step::NakAfter(_, delay) => taken.nak_after(Duration::from_secs(delay)).await.unwrap(),
            _ => return drop(taken),
        }
        match step {
            _ if !current => {}
            Step::Nak(_) => self.reference.again(name, sequence, now, now),
            Step::NakAfter(_, delay) => {
                self.reference.again(name, sequence, now + Duration::from_secs(delay), now);
            }
            _ => self.reference.settle(name, sequence),
        }
    }

    async fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Publish { subject, len, id } => self.publish(subject, len, id).await?,
            Step::Add { name, wishes } => self.add(name, wishes)?,
            Step::Delete { name } => {
                self.consumers.remove(&name);
                prop_assert_eq!(self.stream.delete_consumer(&name.to_string()), self.reference.delete(name));
                *self.generations.entry(name).or_default() += 1;
            }
            Step::Fetch { name, max } => self.fetch(name, max).await?,
            Step::Purge { subject } => {
                prop_assert_eq!(self.stream.purge(SUBJECTS[subject]).unwrap(), self.reference.purge(subject));
            }
            Step::Advance(seconds) => {
                tokio::time::advance(Duration::from_secs(seconds)).await;
                self.reference.tick(Instant::now());
            }
            Step::Ack(which)
            | Step::Nak(which)
            | Step::NakAfter(which, _)
            | Step::Term(which)
            | Step::Progress(which)
            | Step::Forget(which) => self.settle(step, which).await,
        }
        Ok(())
    }

    /// That both hold and count the same.
    fn compare(&self) -> Result<(), TestCaseError> {
        for (name, consumer) in &self.consumers {
            let (info, reader) = (consumer.info().unwrap(), &self.reference.readers[name]);
            let waiting = reader.stands.values().filter(|stand| **stand == Stand::Waiting).count();
            prop_assert_eq!(info.pending, u64::try_from(waiting).unwrap(), "pending of {}", name);
            prop_assert_eq!(info.ack_pending, reader.stands.len() - waiting, "unsettled of {}", name);
            let counts = (reader.delivered, reader.redelivered, reader.given_up);
            prop_assert_eq!((info.delivered, info.redelivered, info.given_up), counts, "counts of {}", name);
        }
        let info = self.stream.info();
        let held = &self.reference.messages;
        let first = held.first().map_or(self.reference.next, |message| message.sequence);
        let count = u64::try_from(held.len()).unwrap();
        prop_assert_eq!((info.messages, info.bytes), (count, self.reference.bytes()));
        prop_assert_eq!((info.first_sequence, info.last_sequence), (first, self.reference.next - 1));
        for sequence in 0..=self.reference.next {
            let expected = held.iter().find(|message| message.sequence == sequence).map(|one| SUBJECTS[one.subject]);
            let found = self.stream.get(sequence);
            prop_assert_eq!(found.as_ref().map(|message| message.subject.as_str()), expected, "at {}", sequence);
        }
        Ok(())
    }

    /// Acks everything: each message that is not settled, given up or gone comes once more, and then closing returns.
    async fn finish(mut self) -> Result<(), TestCaseError> {
        self.held.clear();
        for _ in 0..1_000 {
            if self.reference.readers.values().all(|reader| reader.stands.is_empty()) {
                let close = tokio::time::timeout(Duration::from_secs(1), self.stream.close()).await;
                prop_assert!(close.is_ok(), "closing waits for something");
                return Ok(());
            }
            for name in [0, 1, 2] {
                self.fetch(name, 5).await?;
            }
            while !self.held.is_empty() {
                self.settle(Step::Ack(0), 0).await;
            }
            self.take(Step::Advance(10)).await?;
            self.compare()?;
        }
        Err(TestCaseError::fail("messages that are not settled never came again"))
    }
}

async fn check(limits: Limits, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut pair = Pair::new(limits);
    for step in steps {
        pair.take(step).await?;
        pair.compare()?;
    }
    pair.finish().await
}

proptest! {
    // A failing case prints its limits and steps, which are all it takes to repeat it.
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_does_what_the_reference_does(limits in limits(), steps in prop::collection::vec(step(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(check(limits, steps))?;
    }
}
