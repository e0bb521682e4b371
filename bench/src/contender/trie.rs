//! flux's trie: one publish among many subscriptions.

use std::hint::black_box;

use flux_core::{Message, Publisher as _, Subject, Subscriber as _};
use flux_mem::{Mem, MemConfig, MemDeliveries, WhenFull};

use crate::contender::Contender;
use crate::stopwatch::Stopwatch;
use crate::{Result, runtime};

/// Publishes to a subject of four tokens that one of so many subscriptions takes. Its queue is full, so what is measured is
/// finding it.
#[derive(Debug)]
pub struct Trie {
    /// The name in tables.
    pub name: &'static str,
    /// Subscriptions there are.
    pub subscriptions: u64,
}

impl Contender for Trie {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, messages: u64, stopwatch: &mut Stopwatch) -> Result {
        let bus = Mem::with_config(MemConfig::new().with_capacity(1).with_full(WhenFull::Drop));
        let runtime = runtime::single()?;
        let kept: Vec<MemDeliveries<u64>> = runtime.block_on(async {
            let mut kept = Vec::new();
            for n in 0..self.subscriptions {
                kept.push(bus.subscribe(&format!("bench.{}.{}.*", n / 1_000, n % 1_000)).await?);
            }
            Result::Ok(kept)
        })?;
        let subject = Subject::new("bench.0.0.x")?;
        let measured = stopwatch.measure(|| {
            runtime.block_on(async {
                for n in 0..messages {
                    black_box(bus.send(Message::to(subject.clone(), n)).await?);
                }
                Result::Ok(())
            })
        });
        drop(kept);
        measured
    }
}
