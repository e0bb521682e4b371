//! What a router did, as its run returns it.

use crate::RouteMetrics;

/// What was done, and what was left, when the router stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// One entry a route, in the order the routes were added.
    pub routes: Vec<RouteReport>,
    /// Deliveries whose handlers were still running when the drain's time was up, or when a second signal cut it short.
    /// They were withheld: a transport that redelivers will deliver them again.
    pub withheld: u64,
}

/// What one route did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteReport {
    /// The route's name.
    pub name: String,
    /// Its counters when it stopped.
    pub metrics: RouteMetrics,
}

impl Report {
    /// The figures of all routes together.
    #[must_use]
    pub fn total(&self) -> RouteMetrics {
        let mut total = RouteMetrics::default();
        for route in &self.routes {
            total += &route.metrics;
        }
        total
    }

    /// The entry of the route with this name.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<&RouteReport> {
        self.routes.iter().find(|route| route.name == name)
    }

    /// Whether every handler finished before the router stopped.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.withheld == 0
    }
}
