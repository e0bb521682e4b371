//! What a transport says about itself, true or not.

use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use flux_conformance::{__disagreement as disagreement, Capabilities, Fixture};
use flux_core::{Batch, Consumer, Error, ErrorKind, Message, Publisher, Result, Subscriber};
use flux_mem::{Mem, MemAcker, MemConsumer, MemStream};

use crate::inline::Hasty;

const NOTHING: u8 = 0;
const GROUPS: u8 = 1;
const REQUESTS: u8 = 2;
const REDELIVERY: u8 = 4;
const PULL: u8 = 8;
const OUTCOMES: u8 = 16;

/// Says of the transport `B` that it can do these things. Nothing is ever opened.
struct Claim<B, const ABILITIES: u8>(PhantomData<B>);

impl<B, const ABILITIES: u8> Fixture for Claim<B, ABILITIES>
where
    B: Publisher<Bytes> + Subscriber<Bytes, Deliveries: 'static> + Clone + 'static,
{
    type Payload = Bytes;
    type Bus = B;
    const NAME: &'static str = "it";
    const PAUSED: bool = true;

    fn capabilities() -> Capabilities {
        let mut said = Capabilities::new("never", "none");
        said.groups = ABILITIES & GROUPS != 0;
        said.requests = ABILITIES & REQUESTS != 0;
        said.redelivers = ABILITIES & REDELIVERY != 0;
        said.pull = ABILITIES & PULL != 0;
        said.outcomes = ABILITIES & OUTCOMES != 0;
        said
    }

    async fn open() -> Result<B> {
        Err(Error::new(ErrorKind::Unsupported, "nobody asks it anything"))
    }

    fn payload(_: u64) -> Bytes {
        Bytes::new()
    }

    fn number(_: &Bytes) -> u64 {
        0
    }
}

/// A stream that can be fetched from by itself.
#[derive(Clone)]
struct Fetched(MemStream, MemConsumer);

impl Publisher<Bytes> for Fetched {
    type Receipt = <MemStream as Publisher<Bytes>>::Receipt;

    async fn send(&self, message: Message<Bytes>) -> Result<Self::Receipt> {
        self.0.send(message).await
    }
}

impl Subscriber<Bytes> for Fetched {
    type Acker = MemAcker;
    type Deliveries = <MemStream as Subscriber<Bytes>>::Deliveries;

    async fn subscribe(&self, filter: &str) -> Result<Self::Deliveries> {
        self.0.subscribe(filter).await
    }
}

impl Consumer<Bytes> for Fetched {
    type Acker = MemAcker;

    async fn fetch(&self, max: usize, wait: Duration) -> Result<Batch<Bytes, MemAcker>> {
        self.1.fetch(max, wait).await
    }
}

#[track_caller]
fn assert_says(disagreement: Option<String>, flaw: &str) {
    assert_eq!(disagreement.unwrap_or_default(), flaw);
}

#[test]
fn who_says_what_is_there_is_believed() {
    const STREAM: u8 = GROUPS | REDELIVERY;
    assert_eq!(disagreement!(Claim<Hasty<0>, REQUESTS>, requests), None);
    assert_eq!(disagreement!(Claim<Mem, { GROUPS | REQUESTS }>, groups, requests), None);
    assert_eq!(disagreement!(Claim<MemStream, STREAM>, groups, redelivers), None);
    // Its consumers are something else, and so not seen.
    assert_eq!(disagreement!(Claim<MemStream, { STREAM | PULL }>, groups, redelivers, pull), None);
    assert_eq!(disagreement!(Claim<Fetched, { REDELIVERY | PULL }>, redelivers, pull), None);
}

#[test]
fn a_hidden_ability_is_caught() {
    let without = |what: &str| format!("it has {what}, but does not declare it");
    assert_says(disagreement!(Claim<Hasty<0>, NOTHING>), &without("request-reply"));
    assert_says(disagreement!(Claim<Mem, GROUPS>, groups), &without("request-reply"));
    assert_says(disagreement!(Claim<Mem, REQUESTS>, requests), &without("queue groups"));
    assert_says(disagreement!(Claim<MemStream, REDELIVERY>, redelivers), &without("queue groups"));
    assert_says(disagreement!(Claim<MemStream, GROUPS>, groups), &without("redelivery"));
    assert_says(disagreement!(Claim<Fetched, REDELIVERY>, redelivers), &without("pull"));
}

#[test]
fn a_claim_without_the_ability_is_caught() {
    let claims = |what: &str| format!("it claims {what}, but its types do not have it");
    let requests = disagreement!(Claim<MemStream, { GROUPS | REQUESTS | REDELIVERY }>, groups, redelivers);
    assert_says(requests, &claims("request-reply"));
    assert_says(disagreement!(Claim<Hasty<0>, { GROUPS | REQUESTS }>, requests), &claims("queue groups"));
    assert_says(disagreement!(Claim<Mem, { GROUPS | REQUESTS | REDELIVERY }>), &claims("redelivery"));
    assert_says(disagreement!(Claim<Mem, { GROUPS | REQUESTS | OUTCOMES }>), &claims("outcomes as answers"));
}

#[test]
fn a_claim_that_no_case_proves_is_caught() {
    let unproven = |what: &str, part: &str| format!("it claims {what}, but its suite lacks the part `{part}`");
    assert_says(disagreement!(Claim<Mem, { GROUPS | REQUESTS }>, groups), &unproven("request-reply", "requests"));
    assert_says(disagreement!(Claim<Mem, { GROUPS | REQUESTS }>, requests), &unproven("queue groups", "groups"));
    assert_says(disagreement!(Claim<Fetched, { REDELIVERY | PULL }>, pull), &unproven("redelivery", "redelivers"));
    // Pull without a consumer: the cases that are asked for here would not compile.
    assert_says(disagreement!(Claim<Hasty<0>, { REQUESTS | PULL }>, requests), &unproven("pull", "pull"));
}

#[test]
fn a_proof_of_what_is_not_declared_is_caught() {
    let flaw = disagreement!(Claim<MemStream, { GROUPS | REDELIVERY }>, groups, redelivers, pull);
    assert_says(flaw, "it proves pull, but does not declare it");
}
