//! What a handler can ask for after its message.

use std::any::type_name;
use std::str::FromStr;

use flux_core::{Error, ErrorKind, Failure, Headers, Metadata, Subject, SubjectFilter};

/// What an extractor can look at.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<'p, S> {
    /// The subject of the message.
    pub subject: &'p Subject,
    /// The headers of the message.
    pub headers: &'p Headers,
    /// What the transport knows about the delivery. Only there for an extractor that sets
    /// [`METADATA`](FromParts::METADATA).
    pub metadata: &'p Metadata,
    /// The filter of the route.
    pub filter: &'p SubjectFilter,
    /// The state of the router.
    pub state: &'p S,
}

/// An argument of a handler that is made from what surrounds the message.
///
/// # Implementing
/// A failure is the handler's failure, so choose its class with care: what a retry cannot mend is permanent.
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `{Self}` as an argument after its message",
    label = "not an extractor for a router with state `{S}`",
    note = "the message comes first; `State<T>`, `Tokens<T>`, `Metadata`, `Headers` and `Subject` may follow",
    note = "`State<T>` needs `Router::with_state` with a `T`, or a state from which `T` can be had by `FromRef`"
)]
pub trait FromParts<S>: Sized + Send {
    /// Whether [`Parts::metadata`] is needed.
    const METADATA: bool = false;

    /// Makes the argument.
    ///
    /// # Errors
    /// When this message has not what it takes.
    fn from_parts(parts: &Parts<'_, S>) -> Result<Self, Failure>;

    /// Refuses a route on which the extractor can never work.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the reason.
    fn check(_filter: &SubjectFilter) -> flux_core::Result<()> {
        Ok(())
    }
}

/// A part of the router's state, by clone.
#[derive(Debug, Clone, Copy)]
pub struct State<T>(pub T);

/// Parts that a state of type `S` can hand out.
pub trait FromRef<S> {
    /// The part.
    fn from_ref(state: &S) -> Self;
}

impl<S: Clone> FromRef<S> for S {
    fn from_ref(state: &S) -> S {
        state.clone()
    }
}

impl<S, T: FromRef<S> + Send> FromParts<S> for State<T> {
    fn from_parts(parts: &Parts<'_, S>) -> Result<Self, Failure> {
        Ok(Self(T::from_ref(parts.state)))
    }
}

impl<S> FromParts<S> for Subject {
    fn from_parts(parts: &Parts<'_, S>) -> Result<Self, Failure> {
        Ok(parts.subject.clone())
    }
}

impl<S> FromParts<S> for Headers {
    fn from_parts(parts: &Parts<'_, S>) -> Result<Self, Failure> {
        Ok(parts.headers.clone())
    }
}

impl<S> FromParts<S> for Metadata {
    const METADATA: bool = true;

    fn from_parts(parts: &Parts<'_, S>) -> Result<Self, Failure> {
        Ok(parts.metadata.clone())
    }
}

/// The tokens that the wildcards of the route's filter stand for, parsed.
///
/// `Tokens<(A, B)>` for a filter with two wildcards; up to four. `Tokens<Vec<String>>` takes any number, as a filter that
/// ends in `>` needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens<T>(pub T);

impl<S> FromParts<S> for Tokens<Vec<String>> {
    fn from_parts(parts: &Parts<'_, S>) -> Result<Self, Failure> {
        Ok(Self(parts.filter.captures(parts.subject).map(str::to_owned).collect()))
    }
}

macro_rules! token_tuples {
    ($($count:literal: $($name:ident)+;)*) => {$(
        impl<S, $($name),+> FromParts<S> for Tokens<($($name,)+)>
        where
            $($name: FromStr<Err: TokenError> + Send,)+
        {
            fn from_parts(parts: &Parts<'_, S>) -> Result<Self, Failure> {
                let mut tokens = parts.filter.captures(parts.subject);
                Ok(Self(($(parse::<$name>(tokens.next())?,)+)))
            }

            fn check(filter: &SubjectFilter) -> flux_core::Result<()> {
                let wildcards = filter.tokens().filter(|token| matches!(*token, "*" | ">")).count();
                if wildcards == $count {
                    return Ok(());
                }
                let message = format!("the handler takes {} tokens, the filter has {wildcards} wildcards", $count);
                Err(Error::new(ErrorKind::InvalidInput, message))
            }
        }
    )*};
}

token_tuples! {
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
}

/// An error of parsing a token: anything that can be printed.
pub trait TokenError: std::fmt::Display {}

impl<E: std::fmt::Display> TokenError for E {}

fn parse<T: FromStr<Err: TokenError>>(token: Option<&str>) -> Result<T, Failure> {
    let token = token.unwrap_or_default();
    token.parse().map_err(|error| {
        let message = format!("the subject's token `{token}` is not a `{}`: {error}", type_name::<T>());
        Failure::permanent(Error::new(ErrorKind::InvalidSubject, message))
    })
}
