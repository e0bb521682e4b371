//! Who listens to what: one table for each type that is carried.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flux_core::{Error, ErrorKind, Message, Result, Subject, SubjectFilter};

use crate::hash::TypeIdHasher;
use crate::queue::{Close, Notice, Queue};
use crate::trie::Trie;
use crate::wakes::Wakes;

/// What a queue carries: messages of one type, or requests of one pair of types.
pub(crate) trait Item: Send + 'static {
    /// Messages and requests do not meet, even under one subject.
    const ROLE: Role;

    /// The types, for people.
    fn types() -> String;

    /// Whether nobody waits for the item any more.
    fn is_abandoned(&self) -> bool {
        false
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Message,
    Request,
}

impl<T: Send + 'static> Item for Message<T> {
    const ROLE: Role = Role::Message;

    fn types() -> String {
        std::any::type_name::<T>().to_owned()
    }
}

/// All tables of a bus.
#[derive(Default)]
pub(crate) struct Registry {
    tables: HashMap<TypeId, Box<dyn AnyTable>, BuildHasherDefault<TypeIdHasher>>,
    pub(crate) closed: bool,
}

impl Registry {
    /// Visits the queues of everyone who takes `M` on this subject.
    pub(crate) fn visit<'r, M: Item>(&'r self, subject: &Subject, found: impl FnMut(&'r Arc<Queue<M>>)) {
        if let Some(table) =
            self.tables.get(&TypeId::of::<M>()).and_then(|table| (&**table as &dyn Any).downcast_ref::<Table<M>>())
        {
            table.queues.visit(subject, found);
        }
    }

    /// Adds a member to the queue of `group`, or a queue for a member of its own.
    pub(crate) fn join<M: Item>(
        &mut self,
        filter: &SubjectFilter,
        group: Option<&str>,
        capacity: usize,
    ) -> (Arc<Queue<M>>, usize) {
        let table =
            self.tables.entry(TypeId::of::<M>()).or_insert_with(|| Box::new(Table::<M> { queues: Trie::new() }));
        let add = |queues: &mut Vec<Arc<Queue<M>>>| {
            let found = group.and_then(|_| queues.iter().find(|queue| queue.group() == group));
            let queue = found.map_or_else(|| Arc::new(Queue::new(capacity, group)), Arc::clone);
            let member = queue.join();
            if member == 1 {
                queue.place.store(queues.len(), Ordering::Relaxed);
                queues.push(Arc::clone(&queue));
            }
            (queue, member)
        };
        match (&mut **table as &mut dyn Any).downcast_mut::<Table<M>>() {
            Some(table) => table.queues.edit(filter, add),
            None => unreachable!("tables are kept by the type of their items"),
        }
    }

    /// Removes a member. Tells whether it was its queue's last.
    pub(crate) fn leave<M: Item>(&mut self, filter: &SubjectFilter, queue: &Queue<M>, member: usize) -> bool {
        let last = queue.leave(member);
        let table = self.tables.get_mut(&TypeId::of::<M>());
        let table = table.and_then(|table| (&mut **table as &mut dyn Any).downcast_mut::<Table<M>>());
        if let (true, Some(table)) = (last, table) {
            table.queues.edit(filter, |queues| {
                let place = queue.place.load(Ordering::Relaxed);
                queues.swap_remove(place);
                if let Some(moved) = queues.get(place) {
                    moved.place.store(place, Ordering::Relaxed);
                }
            });
        }
        last
    }

    /// Says to those who listen on this subject for other types than `M` that they missed one. The error for the sender,
    /// if there are any.
    pub(crate) fn check_types<M: Item>(&self, subject: &Subject, wakes: &mut Wakes) -> Result<()> {
        let others = self.tables.iter().filter(|(id, table)| **id != TypeId::of::<M>() && table.role() == M::ROLE);
        let mut listening: Vec<String> =
            others.filter_map(|(_, table)| table.notify(subject, M::types, wakes)).collect();
        if listening.is_empty() {
            return Ok(());
        }
        listening.sort_unstable();
        let text = format!("`{}` was sent, but `{}` is expected there", M::types(), listening.join("` or `"));
        Err(Error::new(ErrorKind::TypeMismatch, text).with_subject(subject.clone()))
    }

    /// Every queue there is.
    pub(crate) fn queues(&self) -> Vec<Arc<dyn Close>> {
        let mut queues = Vec::new();
        self.tables.values().for_each(|table| table.queues(&mut queues));
        queues
    }
}

/// The queues for items of one type.
struct Table<M> {
    queues: Trie<Arc<Queue<M>>>,
}

/// A table whose type is not known: what is done with all of them alike.
trait AnyTable: Any + Send + Sync {
    fn role(&self) -> Role;
    fn notify(&self, subject: &Subject, sent: fn() -> String, wakes: &mut Wakes) -> Option<String>;
    fn queues(&self, all: &mut Vec<Arc<dyn Close>>);
}

impl<M: Item> AnyTable for Table<M> {
    fn role(&self) -> Role {
        M::ROLE
    }

    fn notify(&self, subject: &Subject, sent: fn() -> String, wakes: &mut Wakes) -> Option<String> {
        let mut expected = None;
        self.queues.visit(subject, |queue| {
            let expected = expected.get_or_insert_with(M::types);
            let notice = Notice { subject: subject.clone(), sent: sent(), expected: expected.clone(), missed: 0 };
            queue.notify(notice, wakes);
        });
        expected
    }

    fn queues(&self, all: &mut Vec<Arc<dyn Close>>) {
        self.queues.visit_all(|queue| {
            let queue: Arc<Queue<M>> = Arc::clone(queue);
            all.push(queue);
        });
    }
}
