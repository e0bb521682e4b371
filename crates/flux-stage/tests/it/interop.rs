//! Streams, sinks and tower's services.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use flux_core::{Message, Publisher, Stage, Subscriber, next, subject};
use flux_mem::{Mem, MemDeliveries};
use flux_stage::{PublishSink, ServiceStage, SinkPublisher, StageService, through};
use futures_util::{SinkExt, StreamExt, stream};
use tower::ServiceBuilder;
use tower::retry::Policy;

use crate::double::{Act, Double, Fault};

#[tokio::test(start_paused = true)]
async fn a_stream_goes_through_in_order_and_so_many_at_a_time() {
    let double = Double::new([Act::After(30), Act::After(10), Act::Fail(1), Act::After(20)]);
    let results: Vec<_> = through(stream::iter(0..5), &double, 3).collect().await;
    assert_eq!(results, [Ok(0), Ok(1), Err(Fault::Boom(1)), Ok(3), Ok(4)]);
    assert!(double.peak() <= 3, "{}", double.peak());
}

#[tokio::test]
async fn a_publisher_is_a_sink_and_a_sink_a_publisher() {
    let bus = Mem::new();
    let mut numbers: std::pin::Pin<Box<MemDeliveries<u32>>> = Box::pin(bus.subscribe("numbers").await.unwrap());
    let publisher = SinkPublisher::new(PublishSink::new(bus.clone()));
    publisher.publish("numbers", 1_u32).await.unwrap();
    Publisher::<u32>::flush(&publisher).await.unwrap();
    let mut sink = PublishSink::new(bus.clone());
    sink.send(Message::to(subject!("numbers"), 2_u32)).await.unwrap();
    for expected in [1, 2] {
        assert_eq!(next(numbers.as_mut()).await.unwrap().unwrap().message.payload, expected);
    }
    bus.close().await;
    assert!(sink.send(Message::to(subject!("numbers"), 3_u32)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn towers_layers_wrap_stages() {
    let double = Double::new([Act::Hang]);
    let service = ServiceBuilder::new().timeout(Duration::from_secs(1)).service(StageService::new(double.clone()));
    let stage = ServiceStage::new(service);
    let error = stage.process(1).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
    assert_eq!(double.running(), 0);
    assert_eq!(stage.process(2).await.unwrap(), 2);
}

#[derive(Clone)]
struct Twice(u32);

impl Policy<u32, u32, Fault> for Twice {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut u32, result: &mut Result<u32, Fault>) -> Option<Self::Future> {
        let again = result.is_err() && self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        again.then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &u32) -> Option<u32> {
        Some(*request)
    }
}

#[tokio::test]
async fn towers_retry_calls_the_stage_again() {
    let double = Double::new([Act::Fail(1), Act::Fail(2), Act::Fail(3)]);
    let stage = ServiceStage::new(ServiceBuilder::new().retry(Twice(2)).service(StageService::new(double.clone())));
    assert_eq!(stage.process(1).await, Err(Fault::Boom(3)));
    assert_eq!(stage.process(1).await, Ok(1));
    assert_eq!(double.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn towers_limit_is_shared_by_the_calls_of_a_stage() {
    let double = Double::new([Act::After(10); 6]);
    let service = ServiceBuilder::new().concurrency_limit(2).service(StageService::new(double.clone()));
    let stage = Arc::new(ServiceStage::new(service));
    let calls: Vec<_> = (0..6).map(|n| stage.process(n)).collect();
    let results = futures_util::future::join_all(calls).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(double.peak(), 2);
}

#[tokio::test]
async fn a_function_of_tower_is_a_stage() {
    let stage = ServiceStage::new(tower::service_fn(|n: u32| async move { Ok::<_, Infallible>(n + 1) }));
    assert_eq!(stage.process(1).await, Ok(2));
}
