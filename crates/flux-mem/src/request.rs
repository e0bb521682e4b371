//! Asking and answering: one responder gets each request, and every request gets its answer or an error.

mod reply;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use flux_core::{
    Delivery, Error, ErrorKind, Message, Metadata, Requester, Responder, Result, Scope, Subject, SubjectFilter,
};
use futures_core::Stream;
use tokio::time::timeout;

pub use reply::MemReply;

use crate::config::WhenFull;
use crate::mem::{Mem, Shared, closed};
use crate::publisher::is_bytes;
use crate::queue::{Queue, Refusal, WaitForRoom};
use crate::receiver::Receiver;
use crate::registry::{Item, Role};
use crate::wakes::Wakes;

/// # Delivery
/// Responders take turns; one whose queue is full is passed over while another has room.
///
/// # Cancel safety
/// A request that was given up is not handed to a responder any more; one that was handed over is being handled.
///
/// # Errors
/// [`ErrorKind::NoResponder`] at once when nobody listens, and when the responder leaves before it took the request.
/// [`ErrorKind::Remote`] with code `500` when it took the request and dropped it: it may have been handled.
/// [`ErrorKind::TypeMismatch`] when only responders of other types listen. [`ErrorKind::Full`] when all queues are full and
/// the bus drops. [`ErrorKind::TimedOut`] by tokio's clock, so the runtime needs its time driver.
impl<Req: Send + 'static, Resp: Send + 'static> Requester<Req, Resp> for Mem {
    async fn ask(&self, mut request: Message<Req>) -> Result<Message<Resp>> {
        let shared = self.shared();
        let subject = request.subject.clone();
        Scope::stamp_deadline(&mut request.headers);
        // `Bytes` come from `Typed`, which has reported them already.
        let sending = (!is_bytes::<Req>()).then(|| shared.telemetry.send(&subject, &mut request.headers));
        let limit = shared.config.request_timeout;
        let result = match timeout(limit, shared.ask(request)).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(ErrorKind::TimedOut, format!("no answer within {limit:?}"))),
        };
        let result = result.map_err(|error| error.with_operation("request").with_subject(subject));
        if let Some(sending) = sending {
            sending.finish(result.as_ref().map(drop));
        }
        result
    }
}

/// # Errors
/// As [`Subscriber`](flux_core::Subscriber), in the stream as well.
impl<Req: Send + 'static, Resp: Send + 'static> Responder<Req, Resp> for Mem {
    type Reply = MemReply<Resp>;
    type Requests = MemRequests<Req, Resp>;

    async fn listen(&self, filter: &str) -> Result<MemRequests<Req, Resp>> {
        let receiver = self.shared().join(filter, None).map_err(|error| error.with_operation("listen"))?;
        Ok(MemRequests { receiver })
    }
}

/// A request on its way to a responder.
pub(crate) struct Request<Req, Resp> {
    message: Message<Req>,
    reply: MemReply<Resp>,
}

impl<Req: Send + 'static, Resp: Send + 'static> Item for Request<Req, Resp> {
    const ROLE: Role = Role::Request;

    fn types() -> String {
        format!("{} -> {}", std::any::type_name::<Req>(), std::any::type_name::<Resp>())
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_abandoned()
    }
}

impl Shared {
    async fn ask<Req: Send + 'static, Resp: Send + 'static>(&self, message: Message<Req>) -> Result<Message<Resp>> {
        let subject = message.subject.clone();
        let (reply, answer) = MemReply::new();
        let mut request = Request { message, reply };
        while let Some((queue, left)) = self.hand_over(&subject, request)? {
            let mut room = WaitForRoom::new(queue, Some(left));
            match ((&mut room).await, room.into_item()) {
                (Err(Refusal::Closed), _) => return Err(closed()),
                // That responder has left; there may be others.
                (Err(Refusal::Full | Refusal::Gone), Some(left)) => request = left,
                _ => break,
            }
        }
        answer.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::NoResponder, "")))
    }

    /// Gives the request to the responder whose turn it is, or to the next one that has room. The request and the queue
    /// to wait at, when all are full.
    fn hand_over<M: Item>(&self, subject: &Subject, request: M) -> Result<Option<(Arc<Queue<M>>, M)>> {
        let mut wakes = Wakes::new();
        let mut request = Some(request);
        let handed = self.hand_over_locked(subject, &mut request, &mut wakes);
        wakes.wake();
        let (Some(full), Some(request)) = (handed?, request) else { return Ok(None) };
        if self.config.when_full == WhenFull::Wait {
            return Ok(Some((full, request)));
        }
        full.count_dropped();
        self.dropped.fetch_add(1, Ordering::Relaxed);
        Err(Error::new(ErrorKind::Full, "the queues of all responders are full"))
    }

    /// Leaves in `request` what no queue took; the queue whose turn it was.
    fn hand_over_locked<M: Item>(
        &self,
        subject: &Subject,
        request: &mut Option<M>,
        wakes: &mut Wakes,
    ) -> Result<Option<Arc<Queue<M>>>> {
        let registry = self.read();
        if registry.closed {
            return Err(closed());
        }
        let mut responders = 0_u64;
        registry.visit::<M>(subject, |_| responders += 1);
        if responders == 0 {
            registry.check_types::<M>(subject, wakes)?;
            return Err(Error::new(ErrorKind::NoResponder, ""));
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % responders;
        let mut first = None;
        for before_turn in [false, true] {
            if request.is_none() {
                break;
            }
            let mut place = 0;
            registry.visit::<M>(subject, |queue| {
                if (place < turn) == before_turn && request.is_some() {
                    first.get_or_insert(queue);
                    // A queue that refuses leaves the request for the next one.
                    let _ = queue.push(request, wakes);
                }
                place += 1;
            });
        }
        Ok(first.map(Arc::clone))
    }
}

/// The requests that one responder gets. Dropped, it withdraws the responder; the requests it had not taken fail with
/// [`ErrorKind::NoResponder`] at once.
pub struct MemRequests<Req: Send + 'static, Resp: Send + 'static> {
    receiver: Receiver<Request<Req, Resp>>,
}

impl<Req: Send + 'static, Resp: Send + 'static> MemRequests<Req, Resp> {
    /// What it listens to.
    #[must_use]
    pub const fn filter(&self) -> &SubjectFilter {
        self.receiver.filter()
    }
}

impl<Req: Send + 'static, Resp: Send + 'static> Stream for MemRequests<Req, Resp> {
    type Item = Result<Delivery<Req, MemReply<Resp>>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.receiver.poll_next(cx);
        next.map(|item| {
            item.map(|request| {
                let Request { message, reply } = request?;
                Ok(Delivery::new(message, Metadata::default(), reply.taken()))
            })
        })
    }
}

impl<Req: Send + 'static, Resp: Send + 'static> fmt::Debug for MemRequests<Req, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemRequests").field("filter", self.filter()).finish_non_exhaustive()
    }
}
