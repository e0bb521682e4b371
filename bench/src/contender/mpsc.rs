//! Raw `tokio::sync::mpsc`: the ceiling of whatever hands values from task to task.

use std::hint::black_box;

use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Sender};

use crate::Result;
use crate::contender::service::Service;
use crate::countdown::Countdown;
use crate::payload::{Payload, Sample};

/// Messages the channel holds before the sender waits.
const CAPACITY: usize = 1_024;

/// One sender, one receiver, [`Sample`] by value.
#[derive(Debug)]
pub struct Mpsc {
    sender: Sender<Sample>,
    countdown: Countdown,
}

impl Service for Mpsc {
    fn start(runtime: &Runtime) -> Result<Self> {
        let (sender, mut receiver) = mpsc::channel(CAPACITY);
        let countdown = Countdown::default();
        let seen = countdown.clone();
        runtime.spawn(async move {
            while let Some(sample) = receiver.recv().await {
                black_box::<&Sample>(&sample);
                seen.arrived();
            }
        });
        Ok(Self { sender, countdown })
    }

    fn countdown(&self) -> &Countdown {
        &self.countdown
    }

    async fn publish(&self, messages: u64) -> Result {
        for n in 0..messages {
            self.sender.send(Sample::nth(n)).await?;
        }
        Ok(())
    }
}
