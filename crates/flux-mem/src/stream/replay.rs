//! Reading history once more.

use bytes::Bytes;
use flux_core::{Failure, Message, Stage, SubjectFilter};

use super::MemStream;
use super::config::DeliverPolicy;
use super::state::takes;

impl MemStream {
    /// Hands what is in the stream now to `stage`, in order from where `from` says, and stops. No consumer moves, nothing is
    /// settled. Returns how many messages there were.
    ///
    /// # Errors
    /// The stage's first failure, which ends the replay; a filter that is not valid.
    pub async fn replay<S>(&self, filter: &str, from: DeliverPolicy, stage: S) -> Result<u64, Failure>
    where
        S: Stage<Message<Bytes>, Error: Into<Failure>>,
    {
        let filters = [SubjectFilter::new(filter)?];
        let (ahead, mut behind) = {
            let state = self.0.lock();
            let (cursor, ahead) = state.place(from, &filters);
            (ahead, cursor..=state.log.last_sequence())
        };
        let mut count = 0;
        let mut ahead = ahead.into_iter();
        while let Some(message) = self.read(ahead.by_ref(), &filters).or_else(|| self.read(behind.by_ref(), &filters)) {
            stage.process(message).await.map_err(Into::into)?;
            count += 1;
        }
        Ok(count)
    }

    /// The next message at one of these places.
    fn read(&self, places: impl Iterator<Item = u64>, filters: &[SubjectFilter]) -> Option<Message<Bytes>> {
        let state = self.0.lock();
        let entries = places.filter_map(|sequence| state.log.get(sequence));
        entries.into_iter().find(|entry| takes(filters, entry)).map(|entry| entry.message.clone())
    }
}
