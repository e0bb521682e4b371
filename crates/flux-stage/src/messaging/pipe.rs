//! From a route to a publisher.

use flux_core::{Failure, HeaderName, HeaderValue, Headers, Message, Publisher, Result, Stage, Subject, header};

use crate::{Describe, Shape};

/// A handler that publishes what it makes of each message: run it in a route of any transport, with a publisher of any other.
///
/// Made by [`pipe`], [`pipe_map`] and [`pipe_flat_map`]. It keeps the subject, unless [`to`](Self::to) says where to.
/// The route settles, retries and writes dead letters, as it does for every handler; the rest composes as it does for
/// every stage: [`only_if`](crate::StageExt::only_if) filters, and whatever else wraps a stage is a layer.
///
/// # Ids
/// What is published has the id `<id of the input>/<name>/<ordinal>`, so a redelivery publishes the same ids and a stream that
/// deduplicates drops the copies, as long as the stage makes the same of the same. An input without id gives none.
/// Correlation, causation and trace travel by themselves; other headers only with [`forwarding`](Self::forwarding).
///
/// # Errors
/// Those of the stage, and those of the publisher. What was published before the error stays published.
///
/// # Cancel safety
/// A dropped future may have published some of several items; the redelivery publishes them again under the same ids.
#[derive(Debug, Clone)]
pub struct Pipe<P, M> {
    out: Out<P>,
    make: M,
}

/// Where to, and under which headers.
#[derive(Debug, Clone)]
struct Out<P> {
    name: String,
    publisher: P,
    subject: Option<Subject>,
    forwarded: Vec<HeaderName>,
    added: Headers,
}

/// Publishes the payload as it came; see [`pipe`].
#[derive(Debug, Clone, Copy)]
pub struct Same;

/// Publishes what a stage makes of the payload; see [`pipe_map`].
#[derive(Debug, Clone, Copy)]
pub struct One<S>(S);

/// Publishes each item a stage makes of the payload; see [`pipe_flat_map`].
#[derive(Debug, Clone, Copy)]
pub struct Many<S>(S);

/// Publishes each message's payload with `publisher`. `name` becomes part of the ids: keep it as it is, and unique.
pub fn pipe<P>(name: impl Into<String>, publisher: P) -> Pipe<P, Same> {
    Pipe::new(name.into(), publisher, Same)
}

/// Publishes what `stage` makes of each message's payload.
///
/// ```
/// use flux_core::{Message, Result, Stage, Subscriber, next, subject};
/// use flux_mem::{Mem, MemDeliveries};
/// use flux_stage::pipe_map;
///
/// async fn total(prices: Vec<u32>) -> Result<u32> { Ok(prices.iter().sum()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::result::Result<(), flux_core::Failure> {
/// let bus = Mem::new();
/// let totals: MemDeliveries<u32> = bus.subscribe("totals").await?;
/// let handler = pipe_map("total", bus.clone(), total).to("totals")?; // goes to `Router::route`
/// handler.process(Message::to(subject!("orders"), vec![1, 2]).with_id("order-1")?).await?;
///
/// let message = next(std::pin::pin!(totals)).await.expect("open")?.into_message();
/// assert_eq!((message.payload, message.id()), (3, Some("order-1/total/0")));
/// # Ok(()) }
/// ```
pub fn pipe_map<P, S>(name: impl Into<String>, publisher: P, stage: S) -> Pipe<P, One<S>> {
    Pipe::new(name.into(), publisher, One(stage))
}

/// Publishes each item that `stage` makes of each message's payload, one after the other.
pub fn pipe_flat_map<P, S>(name: impl Into<String>, publisher: P, stage: S) -> Pipe<P, Many<S>> {
    Pipe::new(name.into(), publisher, Many(stage))
}

impl<P, M> Pipe<P, M> {
    fn new(name: String, publisher: P, make: M) -> Self {
        let out = Out { name, publisher, subject: None, forwarded: Vec::new(), added: Headers::new() };
        Self { out, make }
    }

    /// Publishes to `subject`. Default: the subject of each message.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`](flux_core::ErrorKind::InvalidSubject).
    pub fn to(mut self, subject: &str) -> Result<Self> {
        self.out.subject = Some(Subject::new(subject)?);
        Ok(self)
    }

    /// Passes this header on, with all its values. Default: none but those that travel by themselves.
    #[must_use]
    pub fn forwarding(mut self, name: HeaderName) -> Self {
        self.out.forwarded.push(name);
        self
    }

    /// Adds a header to what is published.
    ///
    /// # Errors
    /// Those of [`Headers::insert`].
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Result<Self>
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
        flux_core::Error: From<N::Error> + From<V::Error>,
    {
        self.out.added.insert(name, value)?;
        Ok(self)
    }
}

impl<P> Out<P> {
    async fn send<T>(&self, input: &Message<()>, ordinal: usize, payload: T) -> Result<()>
    where
        P: Publisher<T>,
    {
        let subject = self.subject.as_ref().unwrap_or(&input.subject).clone();
        let mut headers = self.added.clone();
        for name in &self.forwarded {
            for value in input.headers.get_all(name) {
                headers.append(name.clone(), value)?;
            }
        }
        if let Some(id) = input.id() {
            headers.insert(header::MESSAGE_ID, format!("{id}/{}/{ordinal}", self.name))?;
        }
        self.publisher.send(Message::to(subject, payload).with_headers(headers)).await.map(drop)
    }
}

impl<T: Send, P: Publisher<T>> Stage<Message<T>> for Pipe<P, Same> {
    type Out = ();
    type Error = Failure;

    async fn process(&self, input: Message<T>) -> Result<(), Failure> {
        let (input, payload) = input.take();
        Ok(self.out.send(&input, 0, payload).await?)
    }
}

impl<T, P, S> Stage<Message<T>> for Pipe<P, One<S>>
where
    T: Send,
    S: Stage<T, Error: Into<Failure>>,
    P: Publisher<S::Out>,
{
    type Out = ();
    type Error = Failure;

    async fn process(&self, input: Message<T>) -> Result<(), Failure> {
        let (input, payload) = input.take();
        let made = self.make.0.process(payload).await.map_err(Into::into)?;
        Ok(self.out.send(&input, 0, made).await?)
    }
}

impl<T, P, S> Stage<Message<T>> for Pipe<P, Many<S>>
where
    T: Send,
    S: Stage<T, Out: IntoIterator<IntoIter: Send, Item: Send>, Error: Into<Failure>>,
    P: Publisher<<S::Out as IntoIterator>::Item>,
{
    type Out = ();
    type Error = Failure;

    async fn process(&self, input: Message<T>) -> Result<(), Failure> {
        let (input, payload) = input.take();
        let items = self.make.0.process(payload).await.map_err(Into::into)?.into_iter();
        for (ordinal, item) in items.enumerate() {
            self.out.send(&input, ordinal, item).await?;
        }
        Ok(())
    }
}

impl<P, M> Describe for Pipe<P, M> {
    fn describe(&self) -> Shape {
        Shape::leaf(&self.out.name)
    }
}
