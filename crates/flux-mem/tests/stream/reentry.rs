//! Foreign code that runs inside the stream may come back to it: payloads that are dropped, tasks that are woken.

use std::pin::Pin;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use flux_core::{Consumer as _, Publisher as _};
use flux_mem::{ConsumerConfig, Discard, Mem, MemConsumer, MemStream, Retention, StreamConfig, StreamDeliveries};
use futures_core::Stream as _;

use crate::{config, put};

/// How long to wait for what would never come.
const NEVER: Duration = Duration::from_secs(20);

/// Runs it on a thread of its own, so that a thread that waits for itself fails one test and stops no other.
#[track_caller]
fn returns<F>(work: impl FnOnce() -> F + Send + 'static)
where
    F: Future<Output = ()>,
{
    let (done, wait) = sync_channel(1);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(work());
        done.send(()).unwrap();
    });
    wait.recv_timeout(NEVER).expect("it came back to the stream, and the stream waited for itself");
}

/// A payload that comes back to the stream when it is dropped.
struct Back {
    stream: MemStream,
    dropped: Arc<Mutex<u32>>,
    _consumer: Option<MemConsumer>,
}

impl AsRef<[u8]> for Back {
    fn as_ref(&self) -> &[u8] {
        b"back"
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        let _ = self.stream.info();
        let _ = self.stream.purge("orders.none");
        *self.dropped.lock().unwrap() += 1;
    }
}

/// Publishes such a payload, lets `then` do what drops it, and expects it dropped.
#[track_caller]
fn comes_back<F>(config: StreamConfig, then: impl FnOnce(MemStream, MemConsumer) -> F + Send + 'static)
where
    F: Future<Output = ()>,
{
    returns(move || async move {
        let stream = Mem::stream(config).unwrap();
        let consumer = stream.consumer(ConsumerConfig::durable("d")).unwrap();
        let dropped = Arc::new(Mutex::new(0));
        let ephemeral = (stream.info().consumers == 1).then(|| stream.consumer(ephemeral()).unwrap());
        let back = Back { stream: stream.clone(), dropped: Arc::clone(&dropped), _consumer: ephemeral };
        stream.publish("orders.a", Bytes::from_owner(back)).await.unwrap();
        then(stream.clone(), consumer).await;
        assert_eq!(*dropped.lock().unwrap(), 1);
    });
}

/// A consumer that stands in no other's way.
fn ephemeral() -> ConsumerConfig {
    ConsumerConfig::ephemeral().with_filter("orders.none")
}

#[test]
fn a_payload_that_a_limit_removes() {
    comes_back(config().with_max_messages(1), |stream, _| async move {
        put(&stream, "orders.a", "x").await.unwrap();
    });
    comes_back(config().with_max_messages_per_subject(1), |stream, _| async move {
        put(&stream, "orders.a", "x").await.unwrap();
    });
    comes_back(config().with_max_age(Duration::from_secs(1)), |stream, _| async move {
        tokio::time::advance(Duration::from_secs(1)).await;
        let _ = stream.info();
    });
}

#[test]
fn a_payload_that_is_purged() {
    comes_back(config(), |stream, _| async move {
        assert_eq!(stream.purge(">").unwrap(), 1);
    });
}

#[test]
fn a_payload_that_is_settled() {
    comes_back(config().with_retention(Retention::Interest), |_, consumer| async move {
        consumer.fetch(1, Duration::ZERO).await.unwrap().pop().unwrap().unwrap().ack().await.unwrap();
    });
    comes_back(config().with_retention(Retention::Interest), |stream, consumer| async move {
        drop(consumer);
        assert!(stream.delete_consumer("d"));
    });
}

#[test]
fn a_payload_that_is_refused() {
    for refuse in ["full", "large", "closed", "foreign", "duplicate"] {
        returns(move || async move {
            let config = config().with_max_messages(1).with_discard(Discard::New).with_max_message_bytes(12);
            let stream = Mem::stream(config).unwrap();
            let dropped = Arc::new(Mutex::new(0));
            let back = Back { stream: stream.clone(), dropped: Arc::clone(&dropped), _consumer: None };
            let subject = if refuse == "foreign" { "invoices.a" } else { "orders.a" };
            let mut message = flux_core::Message::new(subject, Bytes::from_owner(back)).unwrap();
            match refuse {
                "full" => drop(put(&stream, "orders.a", "x").await.unwrap()),
                "large" => message = message.with_header("X-Large", "x".repeat(100)).unwrap(),
                "duplicate" => {
                    message = message.with_id("1").unwrap();
                    let first = flux_core::Message::new("orders.a", Bytes::new()).unwrap().with_id("1").unwrap();
                    // Larger than the limit on one message with its id, so this stream has none.
                    let stream = Mem::stream(crate::config()).unwrap();
                    stream.send(first).await.unwrap();
                    assert!(stream.send(message).await.unwrap().duplicate);
                    assert_eq!(*dropped.lock().unwrap(), 1);
                    return;
                }
                "closed" => stream.close().await,
                _ => {}
            }
            stream.send(message).await.unwrap_err();
            assert_eq!(*dropped.lock().unwrap(), 1, "{refuse}");
        });
    }
}

/// A task that comes back to the stream when it is woken, and when it is dropped.
struct Busy(MemStream);

impl Wake for Busy {
    fn wake(self: Arc<Self>) {
        let _ = self.0.info();
        let _ = self.0.purge("orders.none");
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.info();
    }
}

/// Waits with a task that nobody but the stream holds.
fn wait(stream: &MemStream, deliveries: &mut StreamDeliveries) {
    let waker = Waker::from(Arc::new(Busy(stream.clone())));
    assert!(matches!(Pin::new(deliveries).poll_next(&mut Context::from_waker(&waker)), Poll::Pending));
}

#[test]
fn a_task_that_is_woken() {
    returns(|| async {
        let stream = crate::stream();
        let consumer = stream.consumer(ConsumerConfig::durable("d").with_max_ack_pending(1)).unwrap();
        let mut deliveries = crate::listen(&consumer).await;
        let mut other = crate::listen(&consumer).await;
        wait(&stream, &mut deliveries);
        put(&stream, "orders.a", "1").await.unwrap();
        put(&stream, "orders.a", "2").await.unwrap();
        let taken = crate::take(&mut other).await;
        wait(&stream, &mut deliveries);
        taken.progress().await.unwrap();
        taken.nak().await.unwrap();
        let taken = crate::take(&mut other).await;
        wait(&stream, &mut deliveries);
        taken.ack().await.unwrap();
        let taken = crate::take(&mut other).await;
        wait(&stream, &mut deliveries);
        stream.purge(">").unwrap();
        drop(taken);
        wait(&stream, &mut deliveries);
        wait(&stream, &mut deliveries);
        drop(other);
        wait(&stream, &mut deliveries);
        assert!(stream.delete_consumer("d"));
    });
}

#[test]
fn a_task_that_waits_for_the_end() {
    returns(|| async {
        let stream = crate::stream();
        let mut deliveries = crate::listen(&stream.consumer(ConsumerConfig::durable("d")).unwrap()).await;
        wait(&stream, &mut deliveries);
        stream.close().await;
    });
}
