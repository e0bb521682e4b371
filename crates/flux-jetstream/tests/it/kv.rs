//! Buckets of keys and values.

use std::pin::Pin;
use std::time::{Duration, Instant};

use flux_codec::{Json, Text};
use flux_core::{ErrorKind, next};
use flux_jetstream::{Change, Compression, KeyValue, KvConfig, OnDifference, Placement, Storage, Watch};

use crate::jetstream;

async fn bucket(config: KvConfig) -> KeyValue<Text> {
    jetstream().await.key_value(config, Text).await.unwrap()
}

fn text(value: &str) -> String {
    value.to_owned()
}

async fn change(watch: &mut Watch<String, Text>) -> (String, Option<String>) {
    let change = next(Pin::new(watch)).await.unwrap().unwrap();
    (change.key().to_owned(), change.value().cloned())
}

#[tokio::test]
async fn what_was_put_is_got_with_its_revision() {
    let bucket = bucket(KvConfig::new("settings")).await;
    assert_eq!(bucket.get::<String>("color").await.unwrap(), None);
    let revision = bucket.put("color", text("red")).await.unwrap();
    let entry = bucket.entry::<String>("color").await.unwrap().unwrap();
    assert_eq!((entry.key.as_str(), entry.value.as_str(), entry.revision), ("color", "red", revision));
    bucket.put("size.max", text("7")).await.unwrap();
    let mut keys = bucket.keys().await.unwrap();
    keys.sort();
    assert_eq!(keys, ["color", "size.max"]);
    bucket.delete("color").await.unwrap();
    assert_eq!(bucket.get::<String>("color").await.unwrap(), None);
    assert_eq!(bucket.keys().await.unwrap(), ["size.max"]);
}

#[tokio::test]
async fn only_one_creates_and_only_who_knows_the_revision_updates() {
    let bucket = bucket(KvConfig::new("settings")).await;
    let first = bucket.create("lock", text("me")).await.unwrap();
    assert_eq!(bucket.create("lock", text("you")).await.unwrap_err().kind(), ErrorKind::Rejected);
    let second = bucket.update("lock", text("me again"), first).await.unwrap();
    assert_eq!(bucket.update("lock", text("you"), first).await.unwrap_err().kind(), ErrorKind::Rejected);
    assert_eq!(bucket.delete_revision("lock", first).await.unwrap_err().kind(), ErrorKind::Rejected);
    bucket.delete_revision("lock", second).await.unwrap();
    bucket.create("lock", text("you")).await.unwrap();
    bucket.purge("lock").await.unwrap();
    bucket.create("lock", text("both")).await.unwrap();
    assert_eq!(bucket.get::<String>("lock").await.unwrap().as_deref(), Some("both"));
}

#[tokio::test]
async fn the_past_is_kept_as_long_as_was_asked() {
    let bucket = bucket(KvConfig::new("settings").with_history(3)).await;
    for value in ["1", "2", "3"] {
        bucket.put("color", text(value)).await.unwrap();
    }
    bucket.delete("color").await.unwrap();
    let history = bucket.history::<String>("color").await.unwrap();
    let values: Vec<_> = history.iter().map(Change::value).map(|value| value.map(String::as_str)).collect();
    assert_eq!(values, [Some("2"), Some("3"), None]);
    bucket.purge("color").await.unwrap();
    assert_eq!(bucket.history::<String>("color").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_watch_sees_what_is_there_and_what_changes() {
    let bucket = bucket(KvConfig::new("settings")).await;
    bucket.put("a.x", text("1")).await.unwrap();
    bucket.put("b.x", text("2")).await.unwrap();
    let mut watch = bucket.watch("a.*").await.unwrap();
    assert_eq!(change(&mut watch).await, (text("a.x"), Some(text("1"))));
    bucket.put("b.x", text("3")).await.unwrap();
    bucket.put("a.y", text("4")).await.unwrap();
    bucket.delete("a.x").await.unwrap();
    assert_eq!(change(&mut watch).await, (text("a.y"), Some(text("4"))));
    assert_eq!(change(&mut watch).await, (text("a.x"), None));
}

#[tokio::test]
async fn a_value_lives_as_long_as_it_was_given() {
    let bucket = bucket(KvConfig::new("settings").with_delete_marker_ttl(Duration::from_secs(60))).await;
    let mut watch = bucket.watch(">").await.unwrap();
    let start = Instant::now();
    bucket.create_with_ttl("session", text("x"), Duration::from_secs(1)).await.unwrap();
    assert_eq!(change(&mut watch).await, (text("session"), Some(text("x"))));
    assert_eq!(change(&mut watch).await, (text("session"), None));
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
    assert_eq!(bucket.get::<String>("session").await.unwrap(), None);
    bucket.create("session", text("y")).await.unwrap();
}

#[tokio::test]
async fn a_key_is_a_subject_and_a_value_is_of_its_codec() {
    let jetstream = jetstream().await;
    let bucket = jetstream.key_value(KvConfig::new("settings"), Json).await.unwrap();
    for key in ["", "a..b", "a.*", "a b"] {
        assert_eq!(bucket.put(key, 1_u64).await.unwrap_err().kind(), ErrorKind::InvalidSubject, "{key}");
    }
    bucket.put("number", 7_u64).await.unwrap();
    assert_eq!(bucket.get::<u64>("number").await.unwrap(), Some(7));
    assert_eq!(bucket.get::<String>("number").await.unwrap_err().kind(), ErrorKind::Codec);
    let other = KvConfig::new("settings").with_history(5);
    assert_eq!(jetstream.key_value(other, Json).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(jetstream.key_value(KvConfig::new("a.b"), Json).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

/// A value whose reading panics, as a hand-written `Deserialize` may.
#[derive(Debug)]
struct Brittle;

impl<'de> serde::Deserialize<'de> for Brittle {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("at any value")
    }
}

impl serde::Serialize for Brittle {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("one")
    }
}

#[tokio::test]
async fn a_value_whose_reading_panics_is_an_error() {
    let bucket = jetstream().await.key_value(KvConfig::new("settings"), Json).await.unwrap();
    bucket.put("brittle", Brittle).await.unwrap();
    let error = bucket.get::<Brittle>("brittle").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(error.to_string().contains("at any value"), "{error}");
}

#[tokio::test]
async fn other_clients_have_the_same_bucket() {
    let jetstream = jetstream().await;
    let ours = jetstream.key_value(KvConfig::new("shared").with_history(5), Text).await.unwrap();
    let client = jetstream.nats().client().clone();
    let theirs = async_nats::jetstream::new(client).get_key_value("shared").await.unwrap();
    ours.put("a", text("ours")).await.unwrap();
    assert_eq!(theirs.get("a").await.unwrap().unwrap(), "ours");
    theirs.put("a", "theirs".into()).await.unwrap();
    assert_eq!(ours.get::<String>("a").await.unwrap().as_deref(), Some("theirs"));
    theirs.delete("a").await.unwrap();
    assert_eq!(ours.get::<String>("a").await.unwrap(), None);
    ours.create("a", text("anew")).await.unwrap();
    ours.delete("a").await.unwrap();
    assert_eq!(theirs.get("a").await.unwrap(), None);
}

#[tokio::test]
async fn every_setting_of_a_bucket_reaches_the_server_and_comes_back() {
    let jetstream = jetstream().await;
    let base = |name: &str| KvConfig::new(name);
    // One server alone takes it, and does nothing about it.
    let placement = Placement { cluster: Some("c".to_owned()), tags: vec!["ssd".to_owned()] };
    let variants: Vec<(&str, &str, KvConfig)> = vec![
        ("max_msgs_per_subject", "b1", base("b1").with_history(5)),
        ("max_age", "b2", base("b2").with_max_age(Duration::from_secs(60))),
        ("subject_delete_marker_ttl", "b3", base("b3").with_delete_marker_ttl(Duration::from_secs(60))),
        ("max_bytes", "b4", base("b4").with_max_bytes(5000)),
        ("max_msg_size", "b5", base("b5").with_max_value_bytes(500)),
        ("storage", "b6", base("b6").with_storage(Storage::Memory)),
        ("compression", "b7", base("b7").with_compression(Compression::S2)),
        ("placement", "b8", base("b8").with_placement(placement)),
    ];
    for (field, name, config) in variants {
        for time in ["first", "second"] {
            let made = jetstream.key_value(config.clone(), Text).await;
            assert!(made.is_ok(), "{field} for the {time} time: {made:?}");
        }
        let plain = jetstream.key_value(base(name), Text).await.unwrap_err();
        assert_eq!(plain.kind(), ErrorKind::InvalidInput);
        assert!(plain.to_string().contains(field), "{field}: {plain}");
    }
    let made = jetstream.key_value(base("c1").with_replicas(3), Text).await;
    assert!(made.is_err(), "there is one server: {made:?}");
}

#[tokio::test]
async fn a_bucket_that_differs_is_changed_on_request_and_deleted_once() {
    let jetstream = jetstream().await;
    let made = jetstream.key_value(KvConfig::new("settings"), Text).await.unwrap();
    made.put("color", text("red")).await.unwrap();
    let longer = KvConfig::new("settings").with_history(5);
    let changed = jetstream.key_value(longer.clone().with_on_difference(OnDifference::Update), Text).await.unwrap();
    changed.put("color", text("blue")).await.unwrap();
    assert_eq!(changed.history::<String>("color").await.unwrap().len(), 2);
    jetstream.key_value(longer, Text).await.unwrap();
    assert!(jetstream.delete_key_value("settings").await.unwrap());
    assert!(!jetstream.delete_key_value("settings").await.unwrap());
    assert_eq!(made.put("color", text("red")).await.unwrap_err().kind(), ErrorKind::NoResponder);
    assert_eq!(jetstream.delete_key_value("a.b").await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_bucket_holds_no_more_and_no_longer_than_it_may() {
    let large = || "x".repeat(600);
    let small = bucket(KvConfig::new("settings").with_max_value_bytes(500)).await;
    assert_eq!(small.put("color", large()).await.unwrap_err().kind(), ErrorKind::TooLarge);
    let full = bucket(KvConfig::new("settings").with_max_bytes(1000)).await;
    full.put("a", large()).await.unwrap();
    assert_eq!(full.put("b", large()).await.unwrap_err().kind(), ErrorKind::Full);
    let short = bucket(KvConfig::new("settings").with_max_age(Duration::from_millis(200))).await;
    short.put("color", text("red")).await.unwrap();
    let limit = Instant::now() + Duration::from_secs(20);
    while short.get::<String>("color").await.unwrap().is_some() {
        assert!(Instant::now() < limit, "it is still there");
    }
}

#[tokio::test]
async fn a_bucket_that_another_client_made_is_the_one_declared() {
    let jetstream = jetstream().await;
    let theirs = async_nats::jetstream::kv::Config { bucket: "shared".into(), ..Default::default() };
    let context = async_nats::jetstream::new(jetstream.nats().client().clone());
    let theirs = context.create_key_value(theirs).await.unwrap();
    theirs.put("a", "theirs".into()).await.unwrap();
    let ours = jetstream.key_value(KvConfig::new("shared"), Text).await.unwrap();
    assert_eq!(ours.get::<String>("a").await.unwrap().as_deref(), Some("theirs"));
}
