//! Which errors a stage acts upon.

/// Says of an error whether it counts.
///
/// Implemented by any `Fn(&E) -> bool`.
pub trait Judge<E>: Send + Sync {
    /// Whether `error` counts.
    fn counts(&self, error: &E) -> bool;
}

impl<E, F: Fn(&E) -> bool + Send + Sync> Judge<E> for F {
    fn counts(&self, error: &E) -> bool {
        self(error)
    }
}

/// Every error counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Always;

impl<E> Judge<E> for Always {
    fn counts(&self, _: &E) -> bool {
        true
    }
}
