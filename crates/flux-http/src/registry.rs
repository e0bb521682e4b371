//! Who listens to what, and the queues in between.

mod recent;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use flux_core::__private::PerThread;
use flux_core::{Error, ErrorKind, Message, Result, Subject, SubjectFilter};
use http::HeaderMap;
use tokio::sync::{mpsc, oneshot};

use crate::inline::{Inline, Known};
use crate::problem::Problem;
use crate::registry::recent::Recent;

/// How a delivery or request ended.
#[derive(Debug)]
pub(crate) enum Answer {
    Done,
    Refused(Problem),
    Reply(HeaderMap, Bytes),
}

/// A message in a queue, and the way back of its answer; `None` when the sender was answered already.
pub(crate) struct Arrival {
    pub(crate) message: Message<Bytes>,
    pub(crate) answer: Option<oneshot::Sender<Answer>>,
}

/// What a queue is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Responder,
    Subscriber,
}

struct Entry {
    id: usize,
    role: Role,
    filter: SubjectFilter,
    /// Of the members of one group, one gets a message.
    group: Option<Arc<str>>,
    line: Line,
    /// Dropped with the entry: somebody may want to know.
    _here: oneshot::Sender<Infallible>,
}

/// How a message gets to who listens.
#[derive(Clone)]
pub(crate) enum Line {
    /// Through a queue to another task.
    Queue(mpsc::Sender<Arrival>),
    /// By a call, on the task of the connection.
    Inline(Arc<Inline>),
}

/// Everyone who listens.
pub(crate) struct Registry {
    tables: RwLock<Tables>,
    /// Raised whenever somebody begins or ends to listen.
    version: AtomicU64,
    known: PerThread<Recent>,
    next: AtomicUsize,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            tables: RwLock::default(),
            version: AtomicU64::default(),
            known: PerThread::new(Recent::default),
            next: AtomicUsize::default(),
        }
    }
}

#[derive(Default)]
struct Tables {
    /// Those who listen to one subject.
    exact: HashMap<Subject, Vec<Entry>>,
    /// Those with wildcards.
    wild: Vec<Entry>,
    closed: bool,
}

/// Who gets a message.
pub(crate) enum Targets {
    Nobody,
    /// Nobody any more: the server drains.
    Closed,
    /// The only one who listens, until the version of the registry changes.
    Only(Line),
    /// One of several.
    Responder(Line),
    Subscribers(Vec<mpsc::Sender<Arrival>>),
}

impl Registry {
    /// Adds a listener, with a queue of its own.
    pub(crate) fn add(
        self: &Arc<Self>,
        filter: &str,
        role: Role,
        group: Option<&str>,
        capacity: usize,
    ) -> Result<Arrivals> {
        let (queue, taken) = mpsc::channel(capacity);
        let (place, _) = self.enter(filter, role, group.map(Arc::from), Line::Queue(queue))?;
        Ok(Arrivals { queue: taken, place })
    }

    /// Adds a responder that is called, and says when it is here no more.
    pub(crate) fn add_inline(
        self: &Arc<Self>,
        filter: &str,
        inline: &Arc<Inline>,
    ) -> Result<(Place, oneshot::Receiver<Infallible>)> {
        self.enter(filter, Role::Responder, None, Line::Inline(Arc::clone(inline)))
    }

    fn enter(
        self: &Arc<Self>,
        filter: &str,
        role: Role,
        group: Option<Arc<str>>,
        line: Line,
    ) -> Result<(Place, oneshot::Receiver<Infallible>)> {
        let filter = SubjectFilter::new(filter)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (here, gone) = oneshot::channel();
        let entry = Entry { id, role, filter: filter.clone(), group, line, _here: here };
        let mut tables = self.changed();
        if tables.closed {
            return Err(Error::new(ErrorKind::Closed, "the server drains"));
        }
        match filter.as_subject() {
            Some(subject) => tables.exact.entry(subject).or_default().push(entry),
            None => tables.wild.push(entry),
        }
        drop(tables);
        Ok((Place { filter, id, registry: Arc::clone(self) }, gone))
    }

    /// Answers of [`targets`](Self::targets) that were got at this version or after it hold while it is the same.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// What this thread found lately.
    pub(crate) fn known(&self) -> &Recent {
        self.known.here()
    }

    /// Lets this thread find the only one who listens to a subject without a lock that others take, if nothing has changed since the
    /// version at which it was looked up.
    pub(crate) fn remember(&self, known: &Arc<Known>, version: u64) {
        self.known.here().insert(known, || self.version() == version);
    }

    fn changed(&self) -> RwLockWriteGuard<'_, Tables> {
        let tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        self.version.fetch_add(1, Ordering::AcqRel);
        // After that: what was found before is then either forgotten here or not remembered.
        self.known.all().iter().for_each(|recent| recent.clear());
        tables
    }

    /// Who gets messages to `subject`: one responder, in turns, or every subscriber, and of each group one, in turns.
    pub(crate) fn targets(&self, subject: &Subject) -> Targets {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        if tables.closed {
            return Targets::Closed;
        }
        let exact = tables.exact.get(subject).map_or(&[][..], Vec::as_slice);
        // As a rule there is one responder and nobody else.
        if let ([Entry { role: Role::Responder, line, .. }], []) = (exact, tables.wild.as_slice()) {
            return Targets::Only(line.clone());
        }
        let wild = tables.wild.iter().filter(|entry| entry.filter.matches(subject));
        let (mut responders, mut subscribers, mut groups) = (0, Vec::new(), BTreeMap::<&str, Vec<_>>::new());
        let entries = exact.iter().chain(wild);
        for entry in entries.clone() {
            match (entry.role, &entry.group) {
                (Role::Responder, _) => responders += 1,
                (Role::Subscriber, None) => subscribers.extend(entry.queue().cloned()),
                (Role::Subscriber, Some(group)) => groups.entry(group).or_default().extend(entry.queue()),
            }
        }
        for members in groups.into_values() {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % members.len();
            subscribers.extend(members.get(turn).copied().cloned());
        }
        let turn = match responders {
            0 if subscribers.is_empty() => return Targets::Nobody,
            0 => return Targets::Subscribers(subscribers),
            1 => 0,
            several => self.next.fetch_add(1, Ordering::Relaxed) % several,
        };
        let responder = entries.filter(|entry| entry.role == Role::Responder).nth(turn);
        responder.map_or(Targets::Nobody, |entry| Targets::Responder(entry.line.clone()))
    }

    /// Lets nobody listen any more; what had arrived is still handed over.
    pub(crate) fn close(&self) {
        let mut tables = self.changed();
        let gone = std::mem::replace(&mut *tables, Tables { closed: true, ..Tables::default() });
        // What a handler holds may itself listen, so it is dropped outside of the lock.
        drop(tables);
        drop(gone);
    }

    fn remove(&self, id: usize, filter: &SubjectFilter) {
        let mut tables = self.changed();
        let gone = match filter.as_subject() {
            None => take(&mut tables.wild, id),
            Some(subject) => {
                let gone = tables.exact.get_mut(&subject).and_then(|entries| take(entries, id));
                if tables.exact.get(&subject).is_some_and(Vec::is_empty) {
                    tables.exact.remove(&subject);
                }
                gone
            }
        };
        // As above.
        drop(tables);
        drop(gone);
    }
}

impl Entry {
    fn queue(&self) -> Option<&mpsc::Sender<Arrival>> {
        match &self.line {
            Line::Queue(queue) => Some(queue),
            Line::Inline(_) => None,
        }
    }
}

fn take(entries: &mut Vec<Entry>, id: usize) -> Option<Entry> {
    let place = entries.iter().position(|entry| entry.id == id)?;
    Some(entries.remove(place))
}

/// A place in the registry, left when it is dropped.
pub(crate) struct Place {
    filter: SubjectFilter,
    id: usize,
    registry: Arc<Registry>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.remove(self.id, &self.filter);
    }
}

/// The queue of one listener. Dropped, it withdraws; those who wait in it are told.
pub(crate) struct Arrivals {
    queue: mpsc::Receiver<Arrival>,
    place: Place,
}

impl Arrivals {
    pub(crate) const fn filter(&self) -> &SubjectFilter {
        &self.place.filter
    }

    /// The next message whose sender has not gone away.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arrival>> {
        loop {
            match self.queue.poll_recv(cx) {
                Poll::Ready(Some(arrival)) if arrival.answer.as_ref().is_some_and(oneshot::Sender::is_closed) => {}
                polled => return polled,
            }
        }
    }
}
