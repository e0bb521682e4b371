//! flux-mem passes the suite: channels with values that no codec could encode, channels as bytes under a codec, the stream.

use std::time::Duration;

use bytes::Bytes;
use flux_codec::Text;
use flux_conformance::{Capabilities, Fixture, Pull, Redelivers, transport_suite};
use flux_core::{Result, Typed};
use flux_mem::{ConsumerConfig, Mem, MemConsumer, MemStream, StreamConfig};

/// A value that only memory can carry.
#[derive(Clone)]
struct Opaque(fn(u64) -> u64, u64);

struct Values;

impl Fixture for Values {
    type Payload = Opaque;
    type Bus = Mem;
    const NAME: &'static str = "mem";
    const PAUSED: bool = true;

    fn capabilities() -> Capabilities {
        let receipt = "the value is in every matching subscriber's queue (`Delivered`)";
        Capabilities::new(receipt, "per publisher").with_groups().with_requests()
    }

    async fn open() -> Result<Mem> {
        Ok(Mem::new())
    }

    fn payload(number: u64) -> Opaque {
        Opaque(|number| number ^ 7, number ^ 7)
    }

    fn number(Opaque(back, hidden): &Opaque) -> u64 {
        back(*hidden)
    }
}

struct Encoded;

impl Fixture for Encoded {
    type Payload = String;
    type Bus = Typed<Mem, Text>;
    const NAME: &'static str = "mem, encoded";
    const PAUSED: bool = true;

    fn capabilities() -> Capabilities {
        let receipt = "the bytes are in every matching subscriber's queue (`Delivered`)";
        Capabilities::new(receipt, "per publisher").with_groups().with_requests()
    }

    async fn open() -> Result<Typed<Mem, Text>> {
        Ok(Mem::new().typed(Text))
    }

    fn payload(number: u64) -> String {
        number.to_string()
    }

    fn number(payload: &String) -> u64 {
        payload.parse().expect("a number was published")
    }
}

struct Stored;

impl Fixture for Stored {
    type Payload = Bytes;
    type Bus = MemStream;
    const NAME: &'static str = "mem stream";
    const PAUSED: bool = true;

    fn capabilities() -> Capabilities {
        let receipt = "the stream holds it (`Stored`)";
        Capabilities::new(receipt, "per stream").with_groups().with_redelivery().with_pull()
    }

    async fn open() -> Result<MemStream> {
        Mem::stream(StreamConfig::new("conformance", ["conformance.>"]))
    }

    fn payload(number: u64) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    fn number(payload: &Bytes) -> u64 {
        u64::from_be_bytes(payload.as_ref().try_into().expect("a number was published"))
    }
}

impl Redelivers for Stored {
    fn ack_wait() -> Duration {
        Duration::from_secs(30)
    }
}

impl Pull for Stored {
    type Consumer = MemConsumer;

    async fn consumer(bus: &MemStream, filter: &str) -> Result<MemConsumer> {
        bus.consumer(ConsumerConfig::durable("puller").with_filter(filter))
    }

    fn ack_wait() -> Duration {
        Duration::from_secs(30)
    }
}

transport_suite!(values: Values, groups, requests);
transport_suite!(encoded: Encoded, groups, requests);
transport_suite!(stored: Stored, groups, redelivers, pull);
