//! What wraps or follows a stage, as methods of every stage.

use std::borrow::Cow;
#[cfg(any(feature = "hedge", feature = "pace", feature = "timeout"))]
use std::time::Duration;

use flux_core::{ArcStage, BoxStage, Stage};

#[cfg(feature = "batch")]
use crate::Batch;
#[cfg(feature = "hedge")]
use crate::Hedge;
#[cfg(feature = "concurrent")]
use crate::MapEach;
#[cfg(feature = "retry")]
use crate::Retry;
#[cfg(feature = "messaging")]
use crate::SettleBy;
#[cfg(feature = "spawn")]
use crate::Spawned;
#[cfg(feature = "timeout")]
use crate::Timeout;
#[cfg(feature = "load")]
use crate::{Bulkhead, LoadShed};
#[cfg(feature = "cache")]
use crate::{Cache, Distinct};
#[cfg(feature = "breaker")]
use crate::{Circuit, CircuitBreaker};
#[cfg(feature = "pace")]
use crate::{Debounce, Throttle};
use crate::{
    Fallback, Filter, FlatMap, Inspect, InspectErr, Label, Map, MapErr, Named, OnlyIf, OrElse, Peek, Skip, Take, Then,
    TryMap,
};
#[cfg(feature = "limit")]
use crate::{Limiter, RateLimit};
#[cfg(feature = "observe")]
use crate::{Metered, StageMetrics, Traced};

/// What can be done with every [`Stage`].
///
/// Each method moves the stage into the type of the same name, whose page says the rest; options follow as `with_…`. The last
/// method is the outermost: `stage.timeout(second).retry()` gives each attempt a second. A stage over several types of input,
/// such as a bound publisher of a transport that carries any type, is wrapped by that type's `new`, which does not ask which of
/// them is meant.
pub trait StageExt<In>: Stage<In> + Sized {
    /// Hands what this stage makes to `next`.
    fn then<B>(self, next: B) -> Then<Self, B, In>
    where
        B: Stage<Self::Out>,
        Self::Error: Into<B::Error>,
    {
        Then::new(self, next)
    }

    /// Passes what this stage makes through `map`.
    fn map<F, Out>(self, map: F) -> Map<Self, F>
    where
        F: Fn(Self::Out) -> Out + Send + Sync,
    {
        Map::new(self, map)
    }

    /// Passes what this stage makes through `map`, which can fail.
    fn try_map<F, Out, E>(self, map: F) -> TryMap<Self, F>
    where
        F: Fn(Self::Out) -> Result<Out, E> + Send + Sync,
        Self::Error: Into<E>,
    {
        TryMap::new(self, map)
    }

    /// Keeps what this stage makes if `keep` says so, else makes `None`.
    fn filter<F>(self, keep: F) -> Filter<Self, F>
    where
        F: Fn(&Self::Out) -> bool + Send + Sync,
    {
        Filter::new(self, keep)
    }

    /// Runs this stage for inputs that pass `test`, else makes `None`.
    fn only_if<F>(self, test: F) -> OnlyIf<Self, F>
    where
        F: Fn(&In) -> bool + Send + Sync,
    {
        OnlyIf::new(self, test)
    }

    /// Replaces each item this stage makes by any number of items.
    fn flat_map<F, Items>(self, map: F) -> FlatMap<Self, F>
    where
        Self::Out: IntoIterator,
        F: Fn(<Self::Out as IntoIterator>::Item) -> Items + Send + Sync,
        Items: IntoIterator,
    {
        FlatMap::new(self, map)
    }

    /// Looks at each input, before this stage runs.
    fn peek<F>(self, look: F) -> Peek<Self, F>
    where
        F: Fn(&In) + Send + Sync,
    {
        Peek::new(self, look)
    }

    /// Looks at what this stage makes.
    fn inspect<F>(self, look: F) -> Inspect<Self, F>
    where
        F: Fn(&Self::Out) + Send + Sync,
    {
        Inspect::new(self, look)
    }

    /// Looks at how this stage fails.
    fn inspect_err<F>(self, look: F) -> InspectErr<Self, F>
    where
        F: Fn(&Self::Error) + Send + Sync,
    {
        InspectErr::new(self, look)
    }

    /// Passes this stage's error through `map`.
    fn map_err<F, E>(self, map: F) -> MapErr<Self, F>
    where
        F: Fn(Self::Error) -> E + Send + Sync,
    {
        MapErr::new(self, map)
    }

    /// Swallows, replaces or passes on this stage's error.
    fn or_else<F, E>(self, handle: F) -> OrElse<Self, F>
    where
        F: Fn(Self::Error) -> Result<Self::Out, E> + Send + Sync,
    {
        OrElse::new(self, handle)
    }

    /// Adds `name` to this stage's errors, and to graphs.
    fn named(self, name: impl Into<Cow<'static, str>>) -> Named<Self> {
        Named::new(name, self)
    }

    /// Names this stage in graphs, and leaves its errors alone.
    fn label(self, label: impl Into<Cow<'static, str>>) -> Label<Self> {
        Label::new(label, self)
    }

    /// Tries this stage again when it fails.
    #[cfg(feature = "retry")]
    fn retry(self) -> Retry<Self> {
        Retry::new(self)
    }

    /// Drops this stage when it takes longer than `limit`.
    #[cfg(feature = "timeout")]
    fn timeout(self, limit: Duration) -> Timeout<Self> {
        Timeout::new(self, limit)
    }

    /// Stops calling this stage while it keeps failing. A `CircuitConfig` makes a circuit, a [`Circuit`] is shared.
    #[cfg(feature = "breaker")]
    fn circuit_breaker(self, circuit: impl Into<Circuit>) -> CircuitBreaker<Self> {
        CircuitBreaker::new(self, circuit)
    }

    /// Calls this stage no more often than allowed. A `Rate` makes a limiter, a [`Limiter`] is shared.
    #[cfg(feature = "limit")]
    fn rate_limit(self, limiter: impl Into<Limiter>) -> RateLimit<Self> {
        RateLimit::new(self, limiter)
    }

    /// Lets so many calls run at the same time, and others wait in line.
    #[cfg(feature = "load")]
    fn bulkhead(self, in_flight: usize) -> Bulkhead<Self> {
        Bulkhead::new(self, in_flight)
    }

    /// Lets so many calls run at the same time, and refuses others.
    #[cfg(feature = "load")]
    fn load_shed(self, in_flight: usize) -> LoadShed<Self> {
        LoadShed::new(self, in_flight)
    }

    /// Calls this stage a second time when it has not answered `after` so long.
    #[cfg(feature = "hedge")]
    fn hedge(self, after: Duration) -> Hedge<Self> {
        Hedge::new(self, after)
    }

    /// Hands the input to `other` when this stage fails.
    fn fallback<B>(self, other: B) -> Fallback<Self, B>
    where
        B: Stage<In, Out = Self::Out>,
        Self::Error: Into<B::Error>,
    {
        Fallback::new(self, other)
    }

    /// Keeps the last `count` results by what `key` makes of the input.
    #[cfg(feature = "cache")]
    fn cache<K, F>(self, key: F, count: usize) -> Cache<Self, K, Self::Out, F>
    where
        F: Fn(&In) -> K + Send + Sync,
    {
        Cache::new(self, key, count)
    }

    /// Runs this stage once for each key.
    #[cfg(feature = "cache")]
    fn distinct<K, F>(self, key: F) -> Distinct<Self, K, F>
    where
        F: Fn(&In) -> Option<K> + Send + Sync,
    {
        Distinct::new(self, key)
    }

    /// Calls this stage over a `Vec` once for what up to `items` callers hand in.
    #[cfg(feature = "batch")]
    fn batch<T, Out, E>(self, items: usize) -> Batch<Self, T, Out, E>
    where
        T: Send + 'static,
        Self: Stage<Vec<T>, Out = Vec<Out>, Error = E> + 'static,
    {
        Batch::new(self, items)
    }

    /// Runs this stage for each item of a `Vec`.
    #[cfg(feature = "concurrent")]
    fn map_each(self) -> MapEach<Self> {
        MapEach::new(self)
    }

    /// Runs this stage once in each `interval`, and leaves out what comes in between.
    #[cfg(feature = "pace")]
    fn throttle(self, interval: Duration) -> Throttle<Self> {
        Throttle::new(self, interval)
    }

    /// Runs this stage for the last input of a burst, after `quiet` without another.
    #[cfg(feature = "pace")]
    fn debounce(self, quiet: Duration) -> Debounce<Self> {
        Debounce::new(self, quiet)
    }

    /// Leaves out the first so many inputs.
    fn skip(self, inputs: u64) -> Skip<Self> {
        Skip::new(self, inputs)
    }

    /// Leaves out all but the first so many inputs.
    fn take(self, inputs: u64) -> Take<Self> {
        Take::new(self, inputs)
    }

    /// Settles by `policy` what this handler fails with.
    #[cfg(feature = "messaging")]
    fn settle_by<F>(self, policy: F) -> SettleBy<Self, F>
    where
        F: Fn(Self::Error) -> flux_core::Outcome + Send + Sync,
    {
        SettleBy::new(self, policy)
    }

    /// Makes each call a task of tokio's.
    #[cfg(feature = "spawn")]
    fn spawned(self) -> Spawned<Self> {
        Spawned::new(self)
    }

    /// Counts and times this stage's calls. A name reports to OpenTelemetry, [`StageMetrics`] where they say.
    #[cfg(feature = "observe")]
    fn metered(self, metrics: impl Into<StageMetrics>) -> Metered<Self> {
        Metered::new(metrics, self)
    }

    /// Makes a span called `name` of each call.
    #[cfg(feature = "observe")]
    fn traced(self, name: impl Into<Cow<'static, str>>) -> Traced<Self> {
        Traced::new(name, self)
    }

    /// Moves this stage into a box, behind a type that does not name it.
    fn boxed(self) -> BoxStage<In, Self::Out, Self::Error>
    where
        In: Send,
        Self: 'static,
    {
        BoxStage::new(self)
    }

    /// As [`boxed`](Self::boxed), and cheap to clone.
    fn shared(self) -> ArcStage<In, Self::Out, Self::Error>
    where
        In: Send,
        Self: 'static,
    {
        ArcStage::new(self)
    }
}

impl<In, S: Stage<In>> StageExt<In> for S {}
