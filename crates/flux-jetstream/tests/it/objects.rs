//! Objects that are larger than a message.

use std::io;
use std::time::{Duration, Instant};

use flux_core::{ErrorKind, Publisher as _};
use flux_jetstream::{Compression, JetStream, ObjectStore, ObjectStoreConfig, OnDifference, Storage};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::jetstream;

async fn store() -> ObjectStore {
    jetstream().await.object_store(ObjectStoreConfig::new("files")).await.unwrap()
}

/// Two and a half megabytes, no piece like another.
fn large() -> Vec<u8> {
    (0..625_000_u32).flat_map(u32::to_be_bytes).collect()
}

#[tokio::test]
async fn what_was_put_is_got_piece_by_piece() {
    let store = store().await;
    let bytes = large();
    let put = store.put("big.bin", &mut bytes.as_slice()).await.unwrap();
    assert_eq!(put.bytes, 2_500_000);
    assert!(put.digest.starts_with("SHA-256="));
    let mut reader = store.get("big.bin").await.unwrap().unwrap();
    assert_eq!(reader.info(), &put);
    let mut found = Vec::new();
    reader.read_to_end(&mut found).await.unwrap();
    assert!(found == bytes, "other bytes came back");
    assert_eq!(store.list().await.unwrap(), [put]);
}

#[tokio::test]
async fn an_object_is_replaced_and_deleted() {
    let store = store().await;
    assert!(store.get("note").await.unwrap().is_none());
    store.put("note", &mut b"one".as_slice()).await.unwrap();
    let second = store.put("note", &mut b"three".as_slice()).await.unwrap();
    assert_eq!(store.info("note").await.unwrap(), Some(second));
    assert!(store.delete("note").await.unwrap());
    assert!(!store.delete("note").await.unwrap());
    assert!(store.get("note").await.unwrap().is_none());
    assert!(store.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn bytes_that_were_changed_are_noticed() {
    let jetstream = jetstream().await;
    let store = jetstream.object_store(ObjectStoreConfig::new("files")).await.unwrap();
    store.put("note", &mut b"one".as_slice()).await.unwrap();
    // A foreign hand adds a piece to the object.
    let stream = jetstream.existing_stream("OBJ_files").await.unwrap();
    let info = async_nats::jetstream::new(jetstream.nats().client().clone());
    let nuid = info.get_object_store("files").await.unwrap().info("note").await.unwrap().nuid;
    stream.publish(&format!("$O.files.C.{nuid}"), "more".into()).await.unwrap();
    let mut reader = store.get("note").await.unwrap().unwrap();
    let error = reader.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

/// The store as the official client has it.
fn official(jetstream: &JetStream) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(jetstream.nats().client().clone())
}

async fn bytes(mut reader: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn other_clients_have_the_same_objects() {
    let jetstream = jetstream().await;
    let ours = jetstream.object_store(ObjectStoreConfig::new("files")).await.unwrap();
    let theirs = official(&jetstream).get_object_store("files").await.unwrap();
    let large = large();
    let put = ours.put("ours.bin", &mut large.as_slice()).await.unwrap();
    let info = theirs.put("theirs.bin", &mut large.as_slice()).await.unwrap();
    assert!(bytes(theirs.get("ours.bin").await.unwrap()).await == large, "other bytes came to them");
    let got = ours.get("theirs.bin").await.unwrap().unwrap();
    assert_eq!((got.info().bytes, Some(&got.info().digest)), (info.size as u64, info.digest.as_ref()));
    assert_eq!(got.info().digest, put.digest);
    assert!(bytes(got).await == large, "other bytes came to us");
    let mut names: Vec<_> = ours.list().await.unwrap().into_iter().map(|info| info.name).collect();
    names.sort();
    assert_eq!(names, ["ours.bin", "theirs.bin"]);
    theirs.delete("theirs.bin").await.unwrap();
    assert!(ours.get("theirs.bin").await.unwrap().is_none());
    assert!(ours.delete("ours.bin").await.unwrap());
    assert!(theirs.info("ours.bin").await.unwrap().deleted);
}

#[tokio::test]
async fn a_store_that_another_client_made_is_the_one_declared() {
    let jetstream = jetstream().await;
    let theirs = async_nats::jetstream::object_store::Config { bucket: "files".into(), ..Default::default() };
    let theirs = official(&jetstream).create_object_store(theirs).await.unwrap();
    theirs.put("note", &mut b"theirs".as_slice()).await.unwrap();
    let ours = jetstream.object_store(ObjectStoreConfig::new("files")).await.unwrap();
    assert_eq!(bytes(ours.get("note").await.unwrap().unwrap()).await, b"theirs");
}

#[tokio::test]
async fn every_setting_of_a_store_reaches_the_server_and_comes_back() {
    let jetstream = jetstream().await;
    let base = |name: &str| ObjectStoreConfig::new(name);
    let variants: Vec<(&str, &str, ObjectStoreConfig)> = vec![
        ("max_age", "s1", base("s1").with_max_age(Duration::from_secs(60))),
        ("max_bytes", "s2", base("s2").with_max_bytes(5000)),
        ("storage", "s3", base("s3").with_storage(Storage::Memory)),
        ("compression", "s4", base("s4").with_compression(Compression::S2)),
    ];
    for (field, name, config) in variants {
        for time in ["first", "second"] {
            let made = jetstream.object_store(config.clone()).await;
            assert!(made.is_ok(), "{field} for the {time} time: {made:?}");
        }
        let plain = jetstream.object_store(base(name)).await.unwrap_err();
        assert_eq!(plain.kind(), ErrorKind::InvalidInput);
        assert!(plain.to_string().contains(field), "{field}: {plain}");
    }
    let made = jetstream.object_store(base("s5").with_replicas(3)).await;
    assert!(made.is_err(), "there is one server: {made:?}");
    assert_eq!(jetstream.object_store(base("a.b")).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_store_that_differs_is_changed_on_request_and_deleted_once() {
    let jetstream = jetstream().await;
    let store = jetstream.object_store(ObjectStoreConfig::new("files")).await.unwrap();
    store.put("note", &mut b"one".as_slice()).await.unwrap();
    let short = ObjectStoreConfig::new("files").with_max_age(Duration::from_millis(200));
    let changed = jetstream.object_store(short.clone().with_on_difference(OnDifference::Update)).await.unwrap();
    jetstream.object_store(short).await.unwrap();
    let limit = Instant::now() + Duration::from_secs(20);
    while changed.info("note").await.unwrap().is_some() {
        assert!(Instant::now() < limit, "it is still there");
    }
    assert!(jetstream.delete_object_store("files").await.unwrap());
    assert!(!jetstream.delete_object_store("files").await.unwrap());
    assert!(changed.put("note", &mut b"two".as_slice()).await.is_err());
}

#[tokio::test]
async fn a_full_store_takes_no_object() {
    let store = jetstream().await.object_store(ObjectStoreConfig::new("files").with_max_bytes(1000)).await.unwrap();
    store.put("small", &mut b"one".as_slice()).await.unwrap();
    let error = store.put("large", &mut [0; 2000].as_slice()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error:?}");
    assert!(store.get("large").await.unwrap().is_none());
    assert!(store.get("small").await.unwrap().is_some());
}
