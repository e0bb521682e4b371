//! Pipelined publishing: many messages on their way, a receipt for each, in order.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_nats::client::Client;
use async_nats::message::OutboundMessage;
use bytes::Bytes;
use flux_core::telemetry::Sending;
use flux_core::{Error, ErrorKind, Message, Result, Subject};
use futures_core::Stream;
use futures_util::Sink as _;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::Stored;
use crate::bus::sealed::Carries;
use crate::publisher::no_stream;
use crate::wire;

/// The receipts of [`StreamBus::publish_all`](crate::StreamBus::publish_all), one for each message and in their order.
///
/// Dropping it sends nothing more; what is on its way may be stored.
pub struct Receipts<'b, B, S, T> {
    bus: &'b B,
    messages: Pin<Box<S>>,
    more: bool,
    /// Was taken from the messages and is not sent yet.
    next: Option<(Message<Bytes>, Option<Sending<'b>>)>,
    in_flight: usize,
    client: Client,
    answers: async_nats::Subscriber,
    inbox: String,
    /// The number of the oldest slot.
    first: u64,
    slots: VecDeque<Slot<'b>>,
    timer: Pin<Box<Sleep>>,
    payload: std::marker::PhantomData<fn(T)>,
}

/// A message on its way.
struct Slot<'b> {
    subject: Subject,
    sending: Option<Sending<'b>>,
    until: Instant,
    done: Option<Result<Stored>>,
}

impl<'b, T, B: Carries<T>, S: Stream<Item = Message<T>>> Receipts<'b, B, S, T> {
    pub(crate) async fn open(bus: &'b B, messages: S, in_flight: usize) -> Result<Self>
    where
        B: Sync,
        S: Send,
    {
        if in_flight == 0 {
            return Err(Error::new(ErrorKind::InvalidInput, "with none in flight, nothing is ever sent"));
        }
        let client = bus.stream().jetstream().client().clone();
        let inbox = client.new_inbox();
        let answers = client.subscribe(format!("{inbox}.*")).await.map_err(flux_nats::error::from_subscribe)?;
        Ok(Self {
            bus,
            messages: Box::pin(messages),
            more: true,
            next: None,
            in_flight,
            client,
            answers,
            inbox,
            first: 0,
            slots: VecDeque::with_capacity(in_flight.min(1024)),
            timer: Box::pin(sleep_until(Instant::now())),
            payload: std::marker::PhantomData,
        })
    }

    /// Reads every answer that is there.
    fn read_answers(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(answer) = Pin::new(&mut self.answers).poll_next(cx) {
            let Some(answer) = answer else {
                let closed = || Err(Error::new(ErrorKind::Closed, "the connection to the server was closed"));
                for slot in &mut self.slots {
                    slot.done.get_or_insert_with(closed);
                }
                self.more = false;
                return;
            };
            let number = answer.subject.rsplit('.').next().and_then(|number| number.parse::<u64>().ok());
            let place = number.and_then(|number| usize::try_from(number.checked_sub(self.first)?).ok());
            let Some(slot) = place.and_then(|place| self.slots.get_mut(place)) else { continue };
            let done = if answer.status.is_some() {
                Err(no_stream(Error::new(ErrorKind::NoResponder, "")))
            } else {
                self.bus.stream().stored(&answer.payload)
            };
            slot.done.get_or_insert(done);
        }
    }

    /// Sends until as many are on their way as may be; `Pending` when messages or room have to be waited for.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.slots.len() < self.in_flight {
            if self.next.is_none() && self.more {
                match ready!(self.messages.as_mut().poll_next(cx)) {
                    None => self.more = false,
                    Some(message) => self.take(message),
                }
                continue;
            }
            let Some((message, _)) = &self.next else { break };
            if ready!(Pin::new(&mut self.client).poll_ready(cx)).is_err() {
                self.more = false;
                break;
            }
            let number = self.first + self.slots.len() as u64;
            let outbound = OutboundMessage {
                subject: flux_nats::wire::subject(&message.subject),
                reply: Some(format!("{}.{number}", self.inbox).into()),
                headers: wire::headers(self.bus.stream().jetstream().nats(), message),
                payload: message.payload.clone(),
            };
            let sent = Pin::new(&mut self.client).start_send(outbound).map_err(flux_nats::error::from_publish);
            if let Some((message, sending)) = self.next.take() {
                self.push(message.subject, sending, sent.err().map(Err));
            }
        }
        Poll::Ready(())
    }

    fn take(&mut self, message: Message<T>) {
        let subject = message.subject.clone();
        match self.bus.encode(message) {
            Ok((message, sending)) => match self.bus.stream().check(&message) {
                Ok(()) => self.next = Some((message, sending)),
                Err(error) => self.push(subject, sending, Some(Err(error))),
            },
            Err(error) => self.push(subject, None, Some(Err(error))),
        }
    }

    fn push(&mut self, subject: Subject, sending: Option<Sending<'b>>, done: Option<Result<Stored>>) {
        let until = Instant::now() + self.bus.stream().jetstream().timeout();
        self.slots.push_back(Slot { subject, sending, until, done });
    }

    /// The oldest receipt, once it is there or overdue.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Stored>>> {
        let Some(slot) = self.slots.front_mut() else { return Poll::Pending };
        if slot.done.is_none() {
            if self.timer.deadline() != slot.until {
                self.timer.as_mut().reset(slot.until);
            }
            ready!(self.timer.as_mut().poll(cx));
            slot.done = Some(Err(Error::new(ErrorKind::TimedOut, "no receipt came; the message may be stored")));
        }
        let Some(Slot { subject, sending, done: Some(done), .. }) = self.slots.pop_front() else {
            return Poll::Pending;
        };
        self.first += 1;
        if let Some(sending) = sending {
            sending.finish(done.as_ref().map(drop));
        }
        Poll::Ready(Some(done.map_err(|error| error.with_operation("publish").with_subject(subject))))
    }
}

impl<T, B: Carries<T>, S: Stream<Item = Message<T>>> Stream for Receipts<'_, B, S, T> {
    type Item = Result<Stored>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Stored>>> {
        let this = &mut *self;
        let done = |slot: Option<&Slot<'_>>| slot.is_some_and(|slot| slot.done.is_some());
        if !done(this.slots.front()) {
            this.read_answers(cx);
        }
        let sending = this.poll_send(cx);
        if this.slots.is_empty() && sending.is_ready() && !this.more && this.next.is_none() {
            return Poll::Ready(None);
        }
        this.poll_first(cx)
    }
}

// Nothing in it is pinned in place but what is boxed.
impl<B, S, T> Unpin for Receipts<'_, B, S, T> {}

impl<B, S, T> fmt::Debug for Receipts<'_, B, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipts").field("on_their_way", &self.slots.len()).finish_non_exhaustive()
    }
}
