//! What tells one transport from another.

use std::any::TypeId;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Which transport a handle belongs to: equal for its clones, different for another transport of the same type.
///
/// It holds as long as any handle lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instance {
    address: usize,
    /// The hash of its name; 0 without one.
    name: u64,
    payload: Option<TypeId>,
}

impl Instance {
    /// The transport whose handles share `shared`.
    #[must_use]
    pub fn of<S: ?Sized>(shared: &Arc<S>) -> Self {
        Self { address: Arc::as_ptr(shared).cast::<()>().addr(), name: 0, payload: None }
    }

    /// For a transport that has several parts by name: the part of this name. What is made apart under one name is one.
    #[must_use]
    pub fn for_name(self, name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.name, name).hash(&mut hasher);
        Self { name: hasher.finish(), ..self }
    }

    /// For a transport on which payloads of different types do not meet: the part that carries `T`.
    #[must_use]
    pub fn for_payload<T: 'static>(self) -> Self {
        Self { payload: Some(TypeId::of::<T>()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_one_transport_and_others_are_not() {
        let (one, other) = (Arc::new(0), Arc::new(0));
        assert_eq!(Instance::of(&one), Instance::of(&Arc::clone(&one)));
        assert_ne!(Instance::of(&one), Instance::of(&other));
        assert_ne!(Instance::of(&one).for_payload::<u8>(), Instance::of(&one).for_payload::<u16>());
    }

    #[test]
    fn parts_are_told_apart_by_name() {
        let whole = Instance::of(&Arc::new(0));
        assert_eq!(whole.for_name("orders"), whole.for_name(&["ord", "ers"].concat()));
        assert_ne!(whole.for_name("orders"), whole.for_name("bills"));
        assert_ne!(whole.for_name("a").for_name("b"), whole.for_name("b").for_name("a"));
        assert_ne!(whole.for_name(""), whole);
    }
}
