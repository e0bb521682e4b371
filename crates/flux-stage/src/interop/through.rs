//! A stream through a stage.

use flux_core::Stage;
use futures_buffered::BufferedStreamExt as _;
use futures_core::Stream;
use futures_util::StreamExt as _;

/// Runs `stage` for each item of `stream`, at most `concurrency` at a time (0 means 1), and gives the results in the order of
/// the items.
///
/// An error is an item like any other: whoever takes the results decides whether to go on. Nothing is taken from the stream
/// while that many items are in flight.
///
/// ```
/// use flux_stage::through;
/// use futures_util::{StreamExt, stream};
///
/// async fn double(n: u32) -> Result<u32, String> { Ok(n * 2) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let doubled: Vec<_> = through(stream::iter([1, 2, 3]), &double, 2).collect().await;
/// assert_eq!(doubled, [Ok(2), Ok(4), Ok(6)]);
/// # }
/// ```
///
/// # Cancel safety
/// Dropping the stream drops what is in flight.
pub fn through<St, S>(stream: St, stage: &S, concurrency: usize) -> impl Stream<Item = Result<S::Out, S::Error>> + Send
where
    St: Stream + Send,
    S: Stage<St::Item>,
{
    stream.map(|item| stage.process(item)).buffered_ordered(concurrency.max(1))
}
