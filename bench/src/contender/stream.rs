//! flux's stream in memory: publish, handle, ack, with a backlog.

use bytes::Bytes;
use flux_core::Publisher as _;
use flux_mem::{Mem, Retention, StreamConfig};

use super::flux::start;
use crate::contender::Contender;
use crate::countdown::Countdown;
use crate::payload::Payload as _;
use crate::payload::Sample;
use crate::stopwatch::Stopwatch;
use crate::{Result, runtime};

/// Lets so many messages pile up before the router gets to handle them, on one thread.
#[derive(Debug)]
pub struct Stream {
    /// The name in tables.
    pub name: &'static str,
    /// Messages that are pending before the first is handled.
    pub pending: u64,
}

impl Contender for Stream {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, messages: u64, stopwatch: &mut Stopwatch) -> Result {
        let runtime = runtime::single()?;
        let config = StreamConfig::new("bench", ["bench.>"]).with_retention(Retention::WorkQueue);
        let (stream, countdown) = (Mem::stream(config)?, Countdown::default());
        start::<Bytes, _>(&runtime, &stream, "bench.samples", &countdown)?;
        let payload = Bytes::copy_from_slice(&Sample::nth(0).to_bytes());
        let mut left = messages;
        while left > 0 {
            let part = left.min(self.pending);
            left -= part;
            countdown.expect(part);
            stopwatch.measure(|| {
                runtime.block_on(async {
                    for _ in 0..part {
                        stream.publish("bench.samples", payload.clone()).await?;
                    }
                    countdown.reached().await;
                    Result::Ok(())
                })
            })?;
        }
        Ok(())
    }
}
