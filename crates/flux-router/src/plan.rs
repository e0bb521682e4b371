//! A route as the router keeps it: checked, without type parameters, ready to start.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use flux_core::{BoxFuture, Instance, Result, SubjectFilter};

use crate::shared::Shared;

/// What [`Router::add`](crate::Router::add) takes: a [`Route`](crate::Route), a [`RequestRoute`](crate::RequestRoute) or a
/// [`DeliveryRoute`](crate::DeliveryRoute).
pub trait AddRoute<S, L> {
    /// Checks the route and fits its handler with the router's state and layers.
    fn plan(self, state: S, layers: &L) -> Plan;
}

/// A route that was checked.
pub struct Plan {
    pub(crate) name: String,
    /// Whether somebody chose the name; a filter in its place may stand for several routes.
    pub(crate) is_named: bool,
    /// Whether the route answers requests.
    pub(crate) answers: bool,
    /// Filter, queue group and transport: two routes with the same three would take each other's messages.
    pub(crate) exclusive: Option<(String, String, Transport)>,
    pub(crate) made: Result<(SubjectFilter, Box<dyn Start>)>,
}

/// A transport, as far as it can be told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Transport {
    Known(Instance),
    /// One of this type. Two routes that may share a group by mistake are refused.
    OfType(TypeId),
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("name", &self.name).field("answers", &self.answers).finish_non_exhaustive()
    }
}

/// Subscribes, and makes the workers.
pub(crate) trait Start: Send {
    fn start(self: Box<Self>, shared: Arc<Shared>) -> BoxFuture<'static, Result<Work>>;
}

/// A route at work.
pub(crate) struct Work {
    pub(crate) workers: Vec<BoxFuture<'static, Result<()>>>,
    pub(crate) flush: Flush,
}

/// Brings what was published or answered to where its receipt promised.
pub(crate) type Flush = BoxFuture<'static, Result<()>>;
