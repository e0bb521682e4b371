//! Reads what is posted: no more than allowed, and in time.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::HttpServerConfig;
use crate::problem::Problem;

impl HttpServerConfig {
    /// Reads a body of allowed size, in time.
    pub(crate) async fn read<B>(&self, body: B) -> Result<Bytes, Problem>
    where
        B: Body<Error: Into<Box<dyn StdError + Send + Sync>>>,
    {
        let limit = self.max_body;
        let too_large =
            || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is over the limit of {limit} bytes"));
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let late = || Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"));
        let collect = async {
            let mut body = pin!(body);
            let mut whole = Bytes::new();
            let mut more = BytesMut::new();
            // To wait for an end that is known already would have hyper wake the connection's task once more.
            while !body.is_end_stream() {
                let Some(frame) = body.frame().await else { break };
                let frame = frame.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body broke off"))?;
                let Ok(mut data) = frame.into_data() else { continue };
                if whole.len() + more.len() + data.remaining() > limit {
                    return Err(too_large());
                }
                let data = data.copy_to_bytes(data.remaining());
                if whole.is_empty() && more.is_empty() {
                    whole = data;
                } else {
                    more.extend_from_slice(&std::mem::take(&mut whole));
                    more.extend_from_slice(&data);
                }
            }
            Ok(if more.is_empty() { whole } else { more.freeze() })
        };
        in_time(self.read_timeout, pin!(collect)).await.unwrap_or_else(late)
    }
}

/// The output of `future`, or `None` when it takes longer than `limit`. Costs no timer while the future is ready at once.
pub(crate) async fn in_time<F: Future>(limit: Duration, mut future: Pin<&mut F>) -> Option<F::Output> {
    match poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        Poll::Ready(output) => Some(output),
        // In a box of its own: a timer is as large as all else that a request keeps.
        Poll::Pending => Box::pin(timeout(limit, future)).await.ok(),
    }
}
