//! A tree of subject filters, token by token: finding the matches of a subject costs by its tokens, not by the filters.

mod children;

use flux_core::{Subject, SubjectFilter};

use crate::hash::TokenHash;
use children::Children;

/// Values kept by filter.
pub(crate) struct Trie<V> {
    root: Node<V>,
}

struct Node<V> {
    /// Values whose filter ends here.
    here: Vec<V>,
    /// Values whose filter goes on with `>`.
    tail: Vec<V>,
    /// Filters that go on with `*`.
    any: Option<Box<Node<V>>>,
    /// Filters that go on with a token.
    literal: Children<V>,
}

impl<V> Trie<V> {
    pub(crate) fn new() -> Self {
        Self { root: Node::new(TokenHash::default()) }
    }

    /// Changes the values kept under `filter`. What is empty afterwards is removed.
    pub(crate) fn edit<R>(&mut self, filter: &SubjectFilter, change: impl FnOnce(&mut Vec<V>) -> R) -> R {
        self.root.edit(Some(filter.as_str().as_bytes()), change)
    }

    /// Visits every value whose filter matches `subject`.
    pub(crate) fn visit<'t>(&'t self, subject: &Subject, mut found: impl FnMut(&'t V)) {
        self.root.visit(Some(subject.as_bytes()), &mut found);
    }

    /// Visits every value.
    pub(crate) fn visit_all(&self, mut found: impl FnMut(&V)) {
        self.root.visit_all(&mut found);
    }
}

impl<V> Node<V> {
    fn new(hash: TokenHash) -> Self {
        Self { here: Vec::new(), tail: Vec::new(), any: None, literal: Children::new(hash) }
    }

    fn edit<R>(&mut self, filter: Option<&[u8]>, change: impl FnOnce(&mut Vec<V>) -> R) -> R {
        let Some(text) = filter else { return change(&mut self.here) };
        let hash = self.literal.hash();
        match split(text) {
            (b">", _) => change(&mut self.tail),
            (b"*", rest) => {
                let child = self.any.get_or_insert_with(|| Box::new(Self::new(hash)));
                let result = child.edit(rest, change);
                self.any.take_if(|child| child.is_empty());
                result
            }
            (token, rest) => {
                if let Some(child) = self.literal.get_mut(token) {
                    let result = child.edit(rest, change);
                    if child.is_empty() {
                        self.literal.remove(token);
                    }
                    return result;
                }
                let mut child = Box::new(Self::new(hash));
                let result = child.edit(rest, change);
                if !child.is_empty() {
                    self.literal.insert(token, child);
                }
                result
            }
        }
    }

    fn visit<'t, F: FnMut(&'t V)>(&'t self, mut subject: Option<&[u8]>, found: &mut F) {
        let mut node = self;
        while let Some(text) = subject {
            let (token, rest) = split(text);
            for value in &node.tail {
                found(value);
            }
            if let Some(any) = &node.any {
                any.visit(rest, found);
            }
            match node.literal.get(token) {
                Some(child) => node = child,
                None => return,
            }
            subject = rest;
        }
        for value in &node.here {
            found(value);
        }
    }

    fn visit_all<F: FnMut(&V)>(&self, found: &mut F) {
        self.here.iter().chain(&self.tail).for_each(&mut *found);
        for child in self.any.iter().chain(self.literal.iter()) {
            child.visit_all(found);
        }
    }

    fn is_empty(&self) -> bool {
        self.here.is_empty() && self.tail.is_empty() && self.any.is_none() && self.literal.is_empty()
    }
}

/// The first token, and what comes after its dot.
fn split(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&byte| byte == b'.') {
        Some(dot) => match text.split_at(dot) {
            (token, [_, rest @ ..]) => (token, Some(rest)),
            (token, []) => (token, None),
        },
        None => (text, None),
    }
}
