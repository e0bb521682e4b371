//! Where a subscription's messages arrive: what was asked for, what came, what waits.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use async_nats::client::Client;
use async_nats::message::OutboundMessage;
use flux_core::Result;
use futures_core::Stream as _;
use futures_util::Sink as _;

use crate::JetStream;
use crate::wire::{Ask, Status};

/// What came.
pub(crate) enum Arrival {
    Message(async_nats::Message),
    Status(Status),
    /// The connection was closed for good.
    End,
}

/// An inbox of its own, and the requests that are open on it.
pub(crate) struct Inbox {
    client: Client,
    /// `None` once it was taken to be cleared away.
    subscriber: Option<async_nats::Subscriber>,
    address: async_nats::Subject,
    requests_to: async_nats::Subject,
    waiting: VecDeque<Arrival>,
    open: usize,
    pin: Option<String>,
    /// How many messages were handed over.
    handed: u64,
    /// Whom the next arrival wakes, when the subscriber found nothing. It may have turned to something else since.
    pub(crate) parked: Option<Waker>,
    /// Something came since this was last cleared.
    pub(crate) seen: bool,
}

impl Inbox {
    pub(crate) async fn open(jetstream: &JetStream, stream: &str, consumer: &str) -> Result<Self> {
        let client = jetstream.client().clone();
        let address = async_nats::Subject::from(client.new_inbox());
        let subscriber = client.subscribe(address.clone()).await.map_err(flux_nats::error::from_subscribe)?;
        let requests_to = format!("{}.CONSUMER.MSG.NEXT.{stream}.{consumer}", jetstream.prefix()).into();
        Ok(Self {
            client,
            subscriber: Some(subscriber),
            address,
            requests_to,
            waiting: VecDeque::new(),
            open: 0,
            pin: None,
            handed: 0,
            parked: None,
            seen: true,
        })
    }

    /// How many messages are on their way or waiting.
    pub(crate) fn ahead(&self) -> usize {
        self.open + self.waiting.len()
    }

    /// Nothing that was asked for will come any more.
    pub(crate) fn forget_requests(&mut self) {
        self.open = 0;
    }

    /// How many messages were handed over so far.
    pub(crate) fn handed(&self) -> u64 {
        self.handed
    }

    /// The next arrival.
    pub(crate) fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        let arrival = match self.waiting.pop_front() {
            Some(arrival) => arrival,
            None => ready!(self.poll_fresh(cx)),
        };
        self.handed += u64::from(matches!(arrival, Arrival::Message(_)));
        Poll::Ready(arrival)
    }

    fn poll_fresh(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        let Some(subscriber) = &mut self.subscriber else { return Poll::Ready(Arrival::End) };
        let Some(native) = ready!(Pin::new(subscriber).poll_next(cx)) else { return Poll::Ready(Arrival::End) };
        self.seen = true;
        let Some(code) = native.status else {
            self.open = self.open.saturating_sub(1);
            self.read_pin(&native);
            return Poll::Ready(Arrival::Message(native));
        };
        let status = Status::read(code.as_u16(), &native);
        match &status {
            Status::Over { missing: Some(missing) } => self.open = self.open.saturating_sub(*missing),
            Status::Heartbeat => {}
            Status::NotPinned => (self.open, self.pin) = (0, None),
            Status::Lost { .. } | Status::Over { missing: None } => self.open = 0,
        }
        Poll::Ready(Arrival::Status(status))
    }

    fn read_pin(&mut self, native: &async_nats::Message) {
        let pin = native.headers.as_ref().and_then(|headers| headers.get("Nats-Pin-Id"));
        if let Some(pin) = pin
            && self.pin.as_deref() != Some(pin.as_str())
        {
            self.pin = Some(pin.as_str().to_owned());
        }
    }

    /// Asks for messages.
    pub(crate) fn poll_ask(&mut self, cx: &mut Context<'_>, ask: &Ask<'_>) -> Poll<Result<()>> {
        let mut client = Pin::new(&mut self.client);
        if let Err(error) = ready!(client.as_mut().poll_ready(cx)) {
            return Poll::Ready(Err(flux_nats::error::from_publish(error)));
        }
        let ask = Ask { pin: self.pin.as_deref(), ..ask.clone() };
        let request = OutboundMessage {
            subject: self.requests_to.clone(),
            reply: Some(self.address.clone()),
            payload: ask.to_bytes(),
            headers: None,
        };
        let sent = client.start_send(request).map_err(flux_nats::error::from_publish);
        if sent.is_ok() {
            self.open += ask.batch;
        }
        Poll::Ready(sent)
    }

    /// Takes in what has arrived, and tells where each message that waits wants its settlement. Who is woken by the next arrival
    /// stays so.
    pub(crate) fn take_in(&mut self) -> Vec<async_nats::Subject> {
        let waker = self.parked.clone().unwrap_or_else(|| Waker::noop().clone());
        while let Poll::Ready(arrival) = self.poll_fresh(&mut Context::from_waker(&waker)) {
            let ended = matches!(arrival, Arrival::End);
            self.waiting.push_back(arrival);
            if ended {
                self.subscriber = None;
                break;
            }
        }
        replies(&self.waiting)
    }

    /// Takes in the rest of what was asked for; ready when it has come or is over. A request for one message is not waited for:
    /// it stays open for long.
    pub(crate) fn poll_last(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.open > 1 {
            let arrival = ready!(self.poll_fresh(cx));
            if matches!(arrival, Arrival::End) {
                break;
            }
            self.waiting.push_back(arrival);
        }
        Poll::Ready(())
    }

    /// Takes away what is left, to give it back.
    pub(crate) fn take_apart(&mut self) -> (Option<async_nats::Subscriber>, Vec<async_nats::Subject>) {
        (self.subscriber.take(), replies(&std::mem::take(&mut self.waiting)))
    }
}

fn replies(waiting: &VecDeque<Arrival>) -> Vec<async_nats::Subject> {
    let reply = |arrival: &Arrival| match arrival {
        Arrival::Message(message) => message.reply.clone(),
        Arrival::Status(_) | Arrival::End => None,
    };
    waiting.iter().filter_map(reply).collect()
}
