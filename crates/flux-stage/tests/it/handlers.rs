//! Stages as handlers, as request handlers and around bound publishers, run by the router.

use std::sync::{Arc, Mutex};

use flux_core::{Error, ErrorKind, Failure, FailureClass, Message, Publisher, Requester, Result, Stage, bind, subject};
use flux_mem::{Mem, StreamConfig};
use flux_router::{Report, Router};
use flux_stage::{FanOut, FanOutError, Parallel, Retry, StageExt, Then};

/// Runs the router while `f` uses it, then drains it.
async fn during<T>(router: Router, f: impl AsyncFnOnce() -> T) -> (T, Report) {
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await.unwrap();
    let value = f().await;
    handle.settled().await.unwrap();
    handle.stop();
    (value, running.await.unwrap().unwrap())
}

async fn half(n: u32) -> Result<u32, Failure> {
    if n.is_multiple_of(2) { Ok(n / 2) } else { Err(Failure::permanent("odd")) }
}

async fn payload<T: Send>(message: Message<T>) -> Result<T, Failure> {
    Ok(message.payload)
}

#[tokio::test]
async fn a_request_is_mapped_item_by_item() {
    let bus = Mem::new();
    let halves = payload::<Vec<u32>>.then(half.map_each().map_err(Failure::from));
    let router = Router::new().respond("halves", &bus, halves);
    let ((even, odd), _) = during(router, async || {
        let even: Vec<u32> = bus.request("halves", vec![2_u32, 4, 6]).await.unwrap();
        let odd: Result<Vec<u32>> = bus.request("halves", vec![2_u32, 5, 6]).await;
        (even, odd)
    })
    .await;
    assert_eq!(even, [1, 2, 3]);
    let remote = odd.unwrap_err().remote().unwrap().to_string();
    assert!(remote.contains("number 1 of 3 failed: odd"), "{remote}");
}

#[tokio::test]
async fn a_request_goes_to_many_and_one_answer_is_made_of_theirs() {
    let bus = Mem::new();
    let both = [half.boxed(), half.map(|n| n + 100).boxed()];
    let sum = Parallel::new(FanOut::new(both), |parts: Vec<u32>| {
        Ok::<_, FanOutError<Failure>>(parts.into_iter().sum::<u32>())
    });
    let router = Router::new().respond("sum", &bus, payload::<u32>.then(sum.map_err(Failure::from)));
    let (answer, _) = during(router, async || bus.request("sum", 8_u32).await).await;
    let answer: u32 = answer.unwrap();
    assert_eq!(answer, 4 + 104);
}

#[tokio::test(start_paused = true)]
async fn a_route_hands_each_message_to_many_handlers_and_buries_what_one_refuses() {
    let stream = Mem::stream(StreamConfig::new("numbers", ["numbers", "dlq.>"])).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let note = move |message: Message<bytes::Bytes>| {
        noted.lock().unwrap().push(message.payload.len());
        std::future::ready(Ok::<(), Failure>(()))
    };
    let refuse = |message: Message<bytes::Bytes>| {
        std::future::ready(if message.payload.len() > 1 { Err(Failure::permanent("too long")) } else { Ok(()) })
    };
    let all = FanOut::new([note.boxed(), refuse.boxed()]).map(drop);
    let router = Router::new().route("numbers", &stream, all);
    let ((), report) = during(router, async || {
        for text in ["1", "22"] {
            stream.publish("numbers", bytes::Bytes::from_static(text.as_bytes())).await.unwrap();
        }
    })
    .await;
    assert_eq!(*seen.lock().unwrap(), [1, 2], "a permanent failure is not tried again");
    let total = report.total();
    assert_eq!((total.handled, total.dead_lettered), (1, 1), "{report:?}");
}

#[tokio::test]
async fn what_stages_are_made_of_keeps_the_class_of_a_failure() {
    async fn too_large(_: u32) -> Result<u32, Error> {
        Err(Error::new(ErrorKind::TooLarge, "a megabyte"))
    }
    fn class<E: Into<Failure>>(result: Result<u32, E>) -> (FailureClass, String) {
        let failure = result.unwrap_err().into();
        (failure.class(), failure.to_string())
    }
    let permanent = |text: &str| (FailureClass::Permanent, text.to_owned());
    let named = too_large.named("store").process(1).await;
    assert_eq!(class(named), permanent("stage `store` failed: a megabyte"));
    let fan_out = FanOut::new([too_large]).map(|_| 0).process(1).await;
    assert_eq!(class(fan_out), permanent("number 0 of 1 failed: a megabyte"));
    let retried = Retry::new(too_large).with_attempts(1).process(1).await;
    assert_eq!(class(retried), permanent("1 attempt failed, no attempt is left: a megabyte"));
    let deep = Retry::new(too_large.named("store")).with_attempts(1).named("import").process(1).await;
    assert_eq!(class(deep).0, FailureClass::Permanent);
    let handlers = FanOut::new([half]).map(|_| 0).process(1).await;
    assert_eq!(class(handlers), permanent("number 0 of 1 failed: odd"));
    let handler = Retry::new(half.named("halve")).with_attempts(1).named("import").process(1).await;
    let text = "stage `import` failed: 1 attempt failed, no attempt is left: stage `halve` failed: odd";
    assert_eq!(class(handler), permanent(text));
}

/// Fails the first `failures` messages, and keeps the rest.
#[derive(Debug, Default)]
struct Flaky {
    failures: Mutex<u32>,
    sent: Mutex<Vec<(String, u32)>>,
}

impl Publisher<u32> for Flaky {
    type Receipt = usize;

    async fn send(&self, message: Message<u32>) -> Result<usize> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(Error::new(ErrorKind::Unavailable, "away"));
        }
        let mut sent = self.sent.lock().unwrap();
        sent.push((message.subject.to_string(), message.payload));
        Ok(sent.len())
    }
}

#[tokio::test(start_paused = true)]
async fn a_bound_publisher_is_a_stage_from_value_to_receipt() {
    let flaky = Arc::new(Flaky { failures: Mutex::new(2), ..Flaky::default() });
    let bound = bind(Arc::clone(&flaky), subject!("halves")).unwrap();
    let publishing = Then::new(half, Retry::new(bound).map_err(Failure::from));
    assert_eq!(publishing.process(8).await.unwrap(), 1);
    assert_eq!(publishing.process(3).await.unwrap_err().to_string(), "odd");
    assert_eq!(*flaky.sent.lock().unwrap(), [("halves".to_owned(), 4)]);

    // And with a route in front, it takes from one subject and publishes to another.
    let bus = Mem::new();
    let router = Router::new().route("numbers", &bus, payload::<u32>.then(publishing).map(drop));
    let (_, report) = during(router, async || bus.publish("numbers", 6_u32).await.unwrap()).await;
    assert_eq!(report.total().handled, 1);
    assert_eq!(flaky.sent.lock().unwrap().last(), Some(&("halves".to_owned(), 3)));
}
