//! The combinators as methods of every stage.

use std::borrow::Cow;

use flux_core::{ArcStage, BoxStage, Stage};

use crate::{Filter, FlatMap, Inspect, InspectErr, Label, Map, MapErr, Named, OnlyIf, OrElse, Peek, Then, TryMap};

/// What can be done with every [`Stage`].
///
/// Each method moves the stage into the type of the same name. A stage over several types of input, such as a bound publisher
/// of a transport that carries any type, is wrapped by that type's `new`, which does not ask which of them is meant.
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
