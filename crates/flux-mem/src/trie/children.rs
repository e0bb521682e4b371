//! The filters that go on from a node with a token, by that token.

use std::collections::HashMap;

use super::Node;
use crate::hash::TokenHash;

/// Up to this many are compared one by one, which takes less time than a hash.
const FEW: usize = 4;

type Token = Box<[u8]>;

/// Nodes by token. Invariant: one of the two is empty.
pub(super) struct Children<V> {
    few: Vec<(Token, Box<Node<V>>)>,
    many: HashMap<Token, Box<Node<V>>, TokenHash>,
}

impl<V> Children<V> {
    pub(super) fn new(hash: TokenHash) -> Self {
        Self { few: Vec::new(), many: HashMap::with_hasher(hash) }
    }

    pub(super) fn hash(&self) -> TokenHash {
        *self.many.hasher()
    }

    #[inline]
    pub(super) fn get(&self, token: &[u8]) -> Option<&Node<V>> {
        if self.many.is_empty() {
            self.few.iter().find(|(found, _)| **found == *token).map(|(_, child)| &**child)
        } else {
            self.many.get(token).map(|child| &**child)
        }
    }

    pub(super) fn get_mut(&mut self, token: &[u8]) -> Option<&mut Node<V>> {
        if self.many.is_empty() {
            self.few.iter_mut().find(|(found, _)| **found == *token).map(|(_, child)| &mut **child)
        } else {
            self.many.get_mut(token).map(|child| &mut **child)
        }
    }

    /// Adds a child whose token is new here.
    pub(super) fn insert(&mut self, token: &[u8], child: Box<Node<V>>) {
        if self.many.is_empty() && self.few.len() < FEW {
            self.few.push((token.into(), child));
        } else {
            self.many.extend(self.few.drain(..));
            self.many.insert(token.into(), child);
        }
    }

    pub(super) fn remove(&mut self, token: &[u8]) {
        self.few.retain(|(found, _)| **found != *token);
        self.many.remove(token);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Box<Node<V>>> {
        self.few.iter().map(|(_, child)| child).chain(self.many.values())
    }
}
