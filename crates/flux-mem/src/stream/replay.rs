//! Reading history once more.

use bytes::Bytes;
use flux_core::{Failure, Message, Stage, SubjectFilter};

use super::MemStream;
use super::config::DeliverPolicy;
use super::consumer::takes;

impl MemStream {
    /// Hands what is in the stream now to `stage`, in order from where `from` says, and stops. No consumer moves, nothing is
    /// settled. Returns how many messages there were. What the stream lets go of meanwhile is passed over.
    ///
    /// # Errors
    /// The stage's first failure, which ends the replay; a filter or a place that is not valid.
    pub async fn replay<S>(&self, filter: &str, from: DeliverPolicy, stage: S) -> Result<u64, Failure>
    where
        S: Stage<Message<Bytes>, Error: Into<Failure>>,
    {
        let filters = [SubjectFilter::new(filter)?];
        from.check()?;
        let (mut cursor, ahead, end) = self.0.now(|state, _| {
            let (cursor, ahead) = state.place(from, &filters);
            (cursor, ahead, state.log.next_sequence())
        });
        let mut count = 0;
        for sequence in ahead {
            if let Some(message) = self.get(sequence) {
                stage.process(message).await.map_err(Into::into)?;
                count += 1;
            }
        }
        while let Some((sequence, message)) = self.read(cursor..end, &filters) {
            cursor = sequence + 1;
            stage.process(message).await.map_err(Into::into)?;
            count += 1;
        }
        Ok(count)
    }

    /// The first message at these places.
    fn read(&self, places: std::ops::Range<u64>, filters: &[SubjectFilter]) -> Option<(u64, Message<Bytes>)> {
        self.0.now(|state, _| {
            let mut entries = state.log.from(places.start).take_while(|entry| entry.sequence < places.end);
            let found = entries.find(|entry| takes(filters, &entry.message.subject));
            found.map(|entry| (entry.sequence, entry.message.clone()))
        })
    }
}
