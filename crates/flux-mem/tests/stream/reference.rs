//! What a stream is to do, written down as plainly as possible: lists, searched from end to end.

use std::collections::BTreeMap;
use std::time::Duration;

use flux_mem::{DeliverPolicy, Discard, Retention};
use tokio::time::Instant;

pub(crate) const SUBJECTS: [&str; 3] = ["orders.a", "orders.b", "orders.c"];
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) retention: Retention,
    pub(crate) discard: Discard,
    pub(crate) messages: Option<u64>,
    pub(crate) per_subject: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) age: Option<Duration>,
    pub(crate) window: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    /// Which subjects; all of them when there are none.
    pub(crate) subjects: Vec<usize>,
    pub(crate) deliver: DeliverPolicy,
    pub(crate) max_deliver: Option<u64>,
    pub(crate) max_ack_pending: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) subject: usize,
    pub(crate) bytes: u64,
    since: Instant,
}

/// Where a message stands with one consumer that has still to settle it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    Waiting,
    InFlight { deliveries: u64, until: Instant },
    Due { deliveries: u64 },
}

#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) wishes: Wishes,
    start: u64,
    pub(crate) stands: BTreeMap<u64, Stand>,
    pub(crate) delivered: u64,
    pub(crate) redelivered: u64,
    pub(crate) given_up: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    Stored { sequence: u64, duplicate: bool },
    Full,
    TooLarge,
}

#[derive(Debug)]
pub(crate) struct Reference {
    limits: Limits,
    pub(crate) messages: Vec<Stored>,
    pub(crate) next: u64,
    ids: BTreeMap<u64, (Instant, u64)>,
    pub(crate) readers: BTreeMap<usize, Reader>,
}

impl Reader {
    fn takes(&self, subject: usize) -> bool {
        self.wishes.subjects.is_empty() || self.wishes.subjects.contains(&subject)
    }

    /// Messages it would hand over now: again, and for the first time.
    pub(crate) fn available(&self) -> (usize, usize) {
        let count = |wanted: fn(&Stand) -> bool| self.stands.values().filter(|stand| wanted(stand)).count();
        let due = count(|stand| matches!(stand, Stand::Due { .. }));
        let waiting = count(|stand| *stand == Stand::Waiting);
        (due, waiting.min(self.wishes.max_ack_pending.saturating_sub(self.stands.len() - waiting)))
    }

    /// It was handed this message: how often, this time included; nothing when that was wrong.
    pub(crate) fn deliver(&mut self, sequence: u64, now: Instant) -> Option<u64> {
        let first = self.stands.iter().find(|(_, stand)| **stand == Stand::Waiting).map(|(place, _)| *place);
        let again = self.available().0 > 0;
        let stand = self.stands.get_mut(&sequence)?;
        let deliveries = match stand {
            Stand::Due { deliveries } => *deliveries + 1,
            Stand::Waiting if !again && first == Some(sequence) => 1,
            _ => return None,
        };
        *stand = Stand::InFlight { deliveries, until: now + ACK_WAIT };
        self.delivered += 1;
        self.redelivered += u64::from(deliveries > 1);
        Some(deliveries)
    }

    fn again(&mut self, sequence: u64, until: Instant, now: Instant) {
        let Some(stand @ Stand::InFlight { .. }) = self.stands.get_mut(&sequence) else { return };
        let Stand::InFlight { deliveries, .. } = *stand else { return };
        *stand = Stand::InFlight { deliveries, until };
        self.tick(now);
    }

    fn tick(&mut self, now: Instant) {
        let most = self.wishes.max_deliver.unwrap_or(u64::MAX);
        let before = self.stands.len();
        self.stands.retain(|_, stand| match *stand {
            Stand::InFlight { deliveries, until } if until <= now => {
                *stand = Stand::Due { deliveries };
                deliveries < most
            }
            _ => true,
        });
        self.given_up += u64::try_from(before - self.stands.len()).unwrap();
    }
}

impl Reference {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, messages: Vec::new(), next: 1, ids: BTreeMap::new(), readers: BTreeMap::new() }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.messages.iter().map(|message| message.bytes).sum()
    }

    /// Removes what is so: how many there were.
    fn remove_if(&mut self, gone: impl Fn(&Stored) -> bool) -> u64 {
        let gone: Vec<_> = self.messages.iter().filter(|message| gone(message)).cloned().collect();
        for message in &gone {
            self.remove(message.sequence);
        }
        u64::try_from(gone.len()).unwrap()
    }

    fn remove(&mut self, sequence: u64) {
        self.messages.retain(|message| message.sequence != sequence);
        self.readers.values_mut().for_each(|reader| reader.stands.retain(|place, _| *place != sequence));
    }

    pub(crate) fn tick(&mut self, now: Instant) {
        let age = self.limits.age.unwrap_or(Duration::MAX);
        self.remove_if(|message| now - message.since >= age);
        self.ids.retain(|_, (time, _)| now - *time < self.limits.window);
        self.readers.values_mut().for_each(|reader| reader.tick(now));
    }

    pub(crate) fn publish(&mut self, subject: usize, bytes: u64, id: Option<u64>, now: Instant) -> Receipt {
        if let Some((_, sequence)) = id.and_then(|id| self.ids.get(&id)) {
            return Receipt::Stored { sequence: *sequence, duplicate: true };
        }
        let wanted = self.readers.values().any(|reader| reader.takes(subject));
        let keep = self.limits.retention != Retention::Interest || wanted;
        if keep {
            if self.limits.bytes.is_some_and(|most| bytes > most) {
                return Receipt::TooLarge;
            }
            let mut left = self.messages.clone();
            let same = left.iter().filter(|message| message.subject == subject).count();
            if self.limits.per_subject.is_some_and(|most| u64::try_from(same).unwrap() >= most) {
                let oldest = left.iter().position(|message| message.subject == subject).unwrap();
                left.remove(oldest);
            }
            let full = |left: &[Stored]| {
                let held: u64 = left.iter().map(|message| message.bytes).sum();
                self.limits.messages.is_some_and(|most| u64::try_from(left.len()).unwrap() >= most)
                    || self.limits.bytes.is_some_and(|most| held + bytes > most)
            };
            while full(&left) {
                if self.limits.discard == Discard::New {
                    return Receipt::Full;
                }
                left.remove(0);
            }
            let stays = |gone: &Stored| left.iter().any(|message| message.sequence == gone.sequence);
            self.remove_if(|message| !stays(message));
            self.messages.push(Stored { sequence: self.next, subject, bytes, since: now });
            for reader in self.readers.values_mut().filter(|reader| reader.takes(subject)) {
                reader.stands.insert(self.next, Stand::Waiting);
            }
        }
        let sequence = self.next;
        self.next += 1;
        if let Some(id) = id {
            self.ids.insert(id, (now, sequence));
        }
        Receipt::Stored { sequence, duplicate: false }
    }

    /// Adds a reader, if a work queue lets it in.
    pub(crate) fn add(&mut self, name: usize, wishes: Wishes) -> bool {
        let all = vec![0, 1, 2];
        let of = |subjects: &Vec<usize>| if subjects.is_empty() { all.clone() } else { subjects.clone() };
        let shares = |other: &Reader| of(&other.wishes.subjects).iter().any(|one| of(&wishes.subjects).contains(one));
        if self.limits.retention == Retention::WorkQueue
            && (wishes.deliver != DeliverPolicy::All || self.readers.values().any(shares))
        {
            return false;
        }
        let none = BTreeMap::new();
        let deliver = wishes.deliver;
        let mut reader = Reader { wishes, start: 0, stands: none, delivered: 0, redelivered: 0, given_up: 0 };
        let taken: Vec<_> = self.messages.iter().filter(|message| reader.takes(message.subject)).collect();
        let newest =
            |one: &&&Stored| !taken.iter().any(|two| two.subject == one.subject && two.sequence > one.sequence);
        let places: Vec<u64> = match deliver {
            DeliverPolicy::New => Vec::new(),
            DeliverPolicy::Last => taken.last().map(|message| message.sequence).into_iter().collect(),
            DeliverPolicy::LastPerSubject => taken.iter().filter(newest).map(|message| message.sequence).collect(),
            DeliverPolicy::FromSequence(first) => {
                taken.iter().map(|message| message.sequence).filter(|place| *place >= first).collect()
            }
            _ => taken.iter().map(|message| message.sequence).collect(),
        };
        reader.start = match deliver {
            DeliverPolicy::All => 1,
            DeliverPolicy::FromSequence(first) => first.min(self.next),
            _ => places.first().copied().unwrap_or(self.next),
        };
        reader.stands = places.into_iter().map(|place| (place, Stand::Waiting)).collect();
        self.readers.insert(name, reader);
        true
    }

    pub(crate) fn delete(&mut self, name: usize) -> bool {
        let Some(reader) = self.readers.remove(&name) else { return false };
        if self.limits.retention == Retention::Interest {
            let its = self.messages.iter().filter(|one| one.sequence >= reader.start && reader.takes(one.subject));
            let its: Vec<_> = its.map(|message| message.sequence).collect();
            for sequence in its {
                self.release(sequence);
            }
        }
        true
    }

    fn release(&mut self, sequence: u64) {
        let needed = self.readers.values().any(|reader| reader.stands.contains_key(&sequence));
        match self.limits.retention {
            Retention::Interest if !needed => self.remove(sequence),
            Retention::WorkQueue => self.remove(sequence),
            _ => {}
        }
    }

    pub(crate) fn settle(&mut self, name: usize, sequence: u64) {
        let Some(reader) = self.readers.get_mut(&name) else { return };
        reader.stands.remove(&sequence);
        self.release(sequence);
    }

    pub(crate) fn again(&mut self, name: usize, sequence: u64, until: Instant, now: Instant) {
        if let Some(reader) = self.readers.get_mut(&name) {
            reader.again(sequence, until, now);
        }
    }

    pub(crate) fn purge(&mut self, subject: usize) -> u64 {
        self.remove_if(|message| message.subject == subject)
    }
}
