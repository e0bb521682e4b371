//! `RustStream`'s lane for payloads that no codec touches.

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::hint::black_box;

use ruststream::OutgoingMessage;
use ruststream::memory::MemoryPublisher;
use ruststream::memory::prelude::*;
use tokio::runtime::Runtime;

use crate::Result;
use crate::contender::ruststream::{SUBJECT, start};
use crate::contender::service::Service;
use crate::countdown::Countdown;
use crate::payload::{Payload, Sample};

/// One publisher, one handler, [`Sample`] as 128 bytes: what is left of `RustStream` when encoding
/// costs next to nothing.
pub struct RustStreamBytes {
    publisher: MemoryPublisher,
    countdown: Countdown,
}

impl Service for RustStreamBytes {
    fn start(runtime: &Runtime) -> Result<Self> {
        let countdown = Countdown::default();
        let broker = start(runtime, countdown.clone(), |scope| {
            scope.include(subscriber(SUBJECT, Count).build());
        })?;
        Ok(Self { publisher: broker.publisher(), countdown })
    }

    fn countdown(&self) -> &Countdown {
        &self.countdown
    }

    async fn publish(&self, messages: u64) -> Result {
        for n in 0..messages {
            let bytes = Sample::nth(n).to_bytes();
            let message = OutgoingMessage::new(SUBJECT, &bytes);
            Publisher::publish(&self.publisher, message, None).await?;
        }
        Ok(())
    }
}

/// The handler: reads the value and reports it.
struct Count;

impl<'p> Handle<Frame<'p>, (), (), (), Countdown> for Count {
    fn handle(
        &self,
        frame: &Frame<'p>,
        _outs: &(),
        ctx: &mut Context<'_, (), Countdown>,
    ) -> impl Future<Output = std::result::Result<(), HandlerOutcome>> {
        black_box(&Sample::from_bytes(frame.0));
        ctx.state().arrived();
        ready(Ok(()))
    }
}

/// The bytes of a delivery, borrowed.
struct Frame<'a>(&'a [u8]);

impl Deserialized for Frame<'_> {
    type Output<'a> = Frame<'a>;
    type Error = Infallible;

    fn from_payload(payload: &[u8]) -> std::result::Result<Frame<'_>, Infallible> {
        Ok(Frame(payload))
    }
}

impl Input for Frame<'_> {
    type Axis = SoloDeserialized<Frame<'static>>;
}

impl fmt::Debug for RustStreamBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RustStreamBytes").finish_non_exhaustive()
    }
}
