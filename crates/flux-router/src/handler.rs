//! From what a user writes to the stage that a route runs.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use flux_core::{Failure, Message, Metadata, Result, Stage, SubjectFilter};

use crate::extract::{FromParts, Parts};

tokio::task_local! {
    /// The metadata of the delivery that is being handled, on routes whose handler asks for it.
    pub(crate) static METADATA: Metadata;
}

/// Whatever can handle the messages of a route, or answer its requests.
///
/// Any [`Stage`] over `Message<T>`, which includes every `async fn` of one message; or an `async fn` with up to four
/// extractors after the message. `T` and `M` are inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the handler of this route",
    label = "not a handler of `Message<{T}>`",
    note = "a handler takes the whole message, not only its payload: `async fn name(message: Message<{T}>) -> Result<(), Failure>`; one that answers requests returns the response instead of `()`",
    note = "up to four extractors may follow the message: `State<T>`, `Tokens<T>`, `Metadata`, `Headers`, `Subject`; `State<T>` needs `Router::with_state` before the route, the state is `{S}` here",
    note = "a transport that carries `Bytes` takes handlers of other types through a codec: `bus.typed(Json)`",
    note = "the future must be `Send`: a value that is not, such as an `Rc` or a lock's guard, may not live across an `.await`"
)]
pub trait IntoHandler<T, S, M> {
    /// The stage that the route runs.
    type Stage: Stage<Message<T>> + 'static;
    /// Whether the stage looks at the delivery's metadata.
    const METADATA: bool = false;

    /// Makes the stage for a route with this filter and state.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](flux_core::ErrorKind::InvalidInput) when the handler cannot work on this filter.
    fn into_stage(self, filter: &SubjectFilter, state: S) -> Result<Self::Stage>;
}

/// Marks a handler that is a stage already.
#[derive(Debug)]
pub struct IsStage;

/// Marks a handler with extractors.
#[derive(Debug)]
pub struct Extracts<A>(PhantomData<A>);

impl<T, S, H> IntoHandler<T, S, IsStage> for H
where
    H: Stage<Message<T>> + 'static,
{
    type Stage = H;

    fn into_stage(self, _filter: &SubjectFilter, _state: S) -> Result<H> {
        Ok(self)
    }
}

/// An `async fn` with extractors, as a stage.
pub struct Extracting<F, S, A> {
    function: F,
    filter: SubjectFilter,
    state: S,
    arguments: PhantomData<fn() -> A>,
}

impl<F, S, A> fmt::Debug for Extracting<F, S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extracting").field("filter", &self.filter).finish_non_exhaustive()
    }
}

macro_rules! functions {
    ($(($($name:ident $argument:ident),+))*) => {$(
        impl<T, S, F, Fut, Out, E, $($name),+> IntoHandler<T, S, Extracts<($($name,)+)>> for F
        where
            T: Send + 'static,
            S: Send + Sync + 'static,
            F: Fn(Message<T>, $($name),+) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<Out, E>> + Send,
            Out: Send + 'static,
            E: Into<Failure> + Send + 'static,
            $($name: FromParts<S> + 'static,)+
        {
            type Stage = Extracting<F, S, (T, $($name,)+)>;
            const METADATA: bool = $($name::METADATA)||+;

            fn into_stage(self, filter: &SubjectFilter, state: S) -> Result<Self::Stage> {
                $($name::check(filter)?;)+
                Ok(Extracting { function: self, filter: filter.clone(), state, arguments: PhantomData })
            }
        }

        impl<T, S, F, Fut, Out, E, $($name),+> Stage<Message<T>> for Extracting<F, S, (T, $($name,)+)>
        where
            T: Send,
            S: Send + Sync,
            F: Fn(Message<T>, $($name),+) -> Fut + Send + Sync,
            Fut: Future<Output = Result<Out, E>> + Send,
            Out: Send,
            E: Into<Failure> + Send,
            $($name: FromParts<S>,)+
        {
            type Out = Out;
            type Error = Failure;

            async fn process(&self, message: Message<T>) -> Result<Out, Failure> {
                let extract = |metadata: &Metadata| -> Result<($($name,)+), Failure> {
                    let parts = Parts {
                        subject: &message.subject,
                        headers: &message.headers,
                        metadata,
                        filter: &self.filter,
                        state: &self.state,
                    };
                    Ok(($($name::from_parts(&parts)?,)+))
                };
                let needed = $($name::METADATA)||+;
                let arguments = if needed { METADATA.try_with(&extract).ok() } else { None };
                let ($($argument,)+) = match arguments {
                    Some(arguments) => arguments?,
                    None => extract(&Metadata::default())?,
                };
                (self.function)(message, $($argument),+).await.map_err(Into::into)
            }
        }
    )*};
}

functions! {
    (A a)
    (A a, B b)
    (A a, B b, C c)
    (A a, B b, C c, D d)
}
