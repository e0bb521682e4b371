//! What a stage tells the `Metered` around it; without the feature `observe` there is none.

/// What only the stage itself knows.
#[cfg_attr(not(feature = "observe"), allow(dead_code, reason = "nobody listens"))]
pub(crate) enum Event {
    /// It runs a batch of so many items.
    #[cfg(feature = "batch")]
    Batch(usize),
    /// Its circuit went into this state.
    #[cfg(feature = "breaker")]
    Circuit(crate::CircuitState),
    /// It makes another attempt.
    #[cfg(feature = "retry")]
    Retried,
}

#[cfg(feature = "observe")]
pub(crate) fn report(event: &Event) {
    let Some(metrics) = crate::StageMetrics::current() else { return };
    match event {
        #[cfg(feature = "batch")]
        Event::Batch(items) => metrics.batch(*items),
        #[cfg(feature = "breaker")]
        Event::Circuit(state) => metrics.circuit(state.as_str()),
        #[cfg(feature = "retry")]
        Event::Retried => metrics.retried(),
    }
}

#[cfg(not(feature = "observe"))]
pub(crate) const fn report(_: &Event) {}
