//! Objects that are larger than a message.

use std::io;

use flux_core::Publisher as _;
use flux_jetstream::{ObjectStore, ObjectStoreConfig};
use tokio::io::AsyncReadExt as _;

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
