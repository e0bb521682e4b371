//! Stages as services of tower, and services as stages.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use flux_core::{BoxFuture, Stage};
use tower_service::Service;

/// A stage as a service: always ready, and cheap to clone. Each call boxes one future, as the trait has to name it.
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::Stage;
/// use flux_stage::{ServiceStage, StageService};
/// use tower::ServiceBuilder;
///
/// async fn double(n: u32) -> Result<u32, std::io::Error> { Ok(n * 2) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let service = ServiceBuilder::new().timeout(Duration::from_secs(1)).service(StageService::new(double));
/// let stage = ServiceStage::new(service); // a stage again, under tower's time limit
/// assert_eq!(stage.process(4).await.unwrap(), 8);
/// # }
/// ```
#[derive(Debug)]
pub struct StageService<S> {
    stage: Arc<S>,
}

impl<S> StageService<S> {
    /// `stage` as a service.
    pub fn new(stage: S) -> Self {
        Self { stage: Arc::new(stage) }
    }
}

impl<S> Clone for StageService<S> {
    fn clone(&self) -> Self {
        Self { stage: Arc::clone(&self.stage) }
    }
}

impl<In, S> Service<In> for StageService<S>
where
    In: Send + 'static,
    S: Stage<In> + 'static,
{
    type Response = S::Out;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Out, S::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, input: In) -> Self::Future {
        let stage = Arc::clone(&self.stage);
        Box::pin(async move { stage.process(input).await })
    }
}

/// A service as a stage: each call clones the service, waits until the clone is ready, and calls it.
///
/// What clones share is shared by calls: limits and circuit breakers of tower do. What they do not share, a clone has for itself.
///
/// # Cancel safety
/// That of the service.
pub struct ServiceStage<V> {
    // A service may be `Send` alone; a stage is called from many threads.
    service: Mutex<V>,
}

impl<V> ServiceStage<V> {
    /// `service` as a stage.
    pub const fn new(service: V) -> Self {
        Self { service: Mutex::new(service) }
    }
}

impl<In, V> Stage<In> for ServiceStage<V>
where
    In: Send,
    V: Service<In, Response: Send, Error: Send, Future: Send> + Clone + Send,
{
    type Out = V::Response;
    type Error = V::Error;

    async fn process(&self, input: In) -> Result<V::Response, V::Error> {
        // A clone that panicked has left the original as it was.
        let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner).clone();
        poll_fn(|cx| service.poll_ready(cx)).await?;
        service.call(input).await
    }
}

impl<V> fmt::Debug for ServiceStage<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceStage").finish_non_exhaustive()
    }
}
