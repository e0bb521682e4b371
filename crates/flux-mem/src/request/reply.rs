//! The way back of an answer.

use std::fmt;

use flux_core::{Error, ErrorKind, Message, RemoteError, Reply, Result};
use tokio::sync::oneshot;

/// Answers one request. Dropped without an answer, it tells the requester so at once.
pub struct MemReply<Resp> {
    requester: Option<oneshot::Sender<Result<Message<Resp>>>>,
    /// Whether the request was handed to the responder's code.
    taken: bool,
}

/// Where the answer to one request comes in. Always gets one, if only that there is none.
pub(crate) type Answer<Resp> = oneshot::Receiver<Result<Message<Resp>>>;

impl<Resp> MemReply<Resp> {
    pub(crate) fn new() -> (Self, Answer<Resp>) {
        let (requester, answer) = oneshot::channel();
        (Self { requester: Some(requester), taken: false }, answer)
    }

    /// Whether the requester has given up.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.requester.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// The request is being handed to the responder's code.
    pub(crate) const fn taken(mut self) -> Self {
        self.taken = true;
        self
    }

    /// What a requester gets that nobody answered.
    fn no_answer(taken: bool) -> Error {
        if taken {
            // Not `NoResponder`: that invites to ask again, and this request may have been handled.
            RemoteError::new(RemoteError::INTERNAL, "the request was dropped without an answer").into()
        } else {
            Error::new(ErrorKind::NoResponder, "the responder left before it took the request")
        }
    }
}

impl<Resp: Send + 'static> Reply<Resp> for MemReply<Resp> {
    async fn reply(mut self, answer: Result<Message<Resp>, RemoteError>) -> Result<()> {
        let gone = || Error::new(ErrorKind::Closed, "the requester does not wait any more").with_operation("reply");
        let requester = self.requester.take().ok_or_else(gone)?;
        requester.send(answer.map_err(Error::from)).map_err(|_| gone())
    }
}

impl<Resp> Drop for MemReply<Resp> {
    fn drop(&mut self) {
        if let Some(requester) = self.requester.take() {
            // A requester that is gone needs no answer.
            let _ = requester.send(Err(Self::no_answer(self.taken)));
        }
    }
}

impl<Resp> fmt::Debug for MemReply<Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemReply")
    }
}
