//! Each codec names what it writes, reads it by each of its names, and refuses what is another's.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Debug;

use bytes::Bytes;
use flux_codec::{Auto, Bincode, Cbor, Json, MsgPack, Postcard, Protobuf, Raw, Text};
use flux_core::{Codec, ErrorKind};
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

/// Content types that no codec here has.
const FOREIGN: [&str; 6] = ["", "text/html", "image/png", "application/xml", "application/json-seq", "json"];

/// The content types of all codecs, written out.
const KNOWN: [&str; 10] = [
    "application/cbor",
    "application/json",
    "application/msgpack",
    "application/protobuf",
    "application/vnd.msgpack",
    "application/x-bincode",
    "application/x-msgpack",
    "application/x-postcard",
    "application/x-protobuf",
    "text/plain",
];

fn written<T, C: Codec<T>>(codec: &C, value: &T) -> Bytes {
    let mut buffer = Vec::new();
    codec.encode(value, &mut buffer).unwrap();
    buffer.into()
}

/// `codec` writes the first of `names`, reads all of `names`, with parameters and in capitals too, and no other.
#[track_caller]
fn check<T: Debug + PartialEq, C: Codec<T>>(codec: C, value: &T, names: &[&str]) {
    assert_eq!(Some(&codec.content_type()), names.first());
    let payload = written(&codec, value);
    for name in names {
        let mixed = [(*name).to_owned(), name.to_uppercase(), format!("{name} ; charset=UTF-8; version=1")];
        for name in mixed {
            assert!(codec.reads(&name), "{name}");
            assert_eq!(&codec.decode_as(Some(&name), &payload).unwrap(), value, "{name}");
        }
    }
    let own = |other: &str| names.iter().any(|name| flux_core::same_media_type(name, other));
    for other in FOREIGN.into_iter().chain(KNOWN).filter(|other| !own(other)) {
        assert_refused(&codec, other, &payload);
    }
}

/// `reads` says no, and so does `decode_as`, by both names.
#[track_caller]
fn assert_refused<T: Debug, C: Codec<T>>(codec: &C, content_type: &str, payload: &Bytes) {
    assert!(!codec.reads(content_type), "{} reads `{content_type}`", codec.content_type());
    let error = codec.decode_as(Some(content_type), payload).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec, "{content_type}: {error}");
    let text = error.to_string();
    assert!(text.contains(&format!("`{content_type}`")) && text.contains(codec.content_type()), "{text}");
}

#[test]
fn each_codec_reads_its_own_names_and_no_other() {
    let value = Named { name: "one".to_owned() };
    check(Json, &value, &["application/json"]);
    check(Cbor, &value, &["application/cbor"]);
    check(MsgPack, &value, &["application/vnd.msgpack", "application/msgpack", "application/x-msgpack"]);
    check(Postcard, &value, &["application/x-postcard"]);
    check(Bincode, &value, &["application/x-bincode"]);
    check(Protobuf, &value, &["application/protobuf", "application/x-protobuf"]);
    check(Text, &value.name, &["text/plain; charset=utf-8", "text/plain"]);
}

#[test]
fn a_bound_changes_nothing_about_that() {
    let value = Named { name: "one".to_owned() };
    check(MsgPack.with_limit(99), &value, &["application/vnd.msgpack", "application/msgpack", "application/x-msgpack"]);
    check(Protobuf.with_limit(99), &value, &["application/protobuf", "application/x-protobuf"]);
    check(Text.with_limit(99), &value.name, &["text/plain; charset=utf-8", "text/plain"]);
}

#[test]
fn raw_writes_bytes_and_reads_anything() {
    let payload = Bytes::from_static(b"any");
    assert_eq!(Codec::<Bytes>::content_type(&Raw), "application/octet-stream");
    assert_eq!(Codec::<Vec<u8>>::content_type(&Raw), "application/octet-stream");
    for name in FOREIGN.into_iter().chain(KNOWN) {
        assert_eq!(Codec::<Bytes>::decode_as(&Raw, Some(name), &payload).unwrap(), payload, "{name}");
        assert_eq!(Codec::<Vec<u8>>::decode_as(&Raw, Some(name), &payload).unwrap(), payload, "{name}");
    }
}

#[test]
fn text_in_another_charset_is_refused() {
    let payload = Bytes::from_static(b"plain");
    for charset in ["utf-8", "UTF-8", "\"utf-8\"", "utf8", "us-ascii"] {
        for name in [format!("text/plain;charset={charset}"), format!("text/plain; format=flowed; Charset={charset}")] {
            assert_eq!(Text.decode_as(Some(&name), &payload).unwrap(), "plain", "{name}");
        }
    }
    for charset in ["iso-8859-1", "\"utf-16\"", "windows-1252", "", "utf-88"] {
        for name in [format!("text/plain; charset={charset}"), format!("text/plain;format=flowed;CHARSET={charset}")] {
            assert_refused(&Text, &name, &payload);
        }
    }
}

#[test]
fn auto_reads_what_it_says_it_reads() {
    let value = Named { name: "one".to_owned() };
    let auto = Auto::new(Protobuf);
    for (name, payload) in [
        ("application/protobuf", written(&Protobuf, &value)),
        ("application/x-protobuf", written(&Protobuf, &value)),
        ("application/x-msgpack", written(&MsgPack, &value)),
        ("application/json", written(&Json, &value)),
    ] {
        assert!(Codec::<Named>::reads(&auto, name), "{name}");
        assert_eq!(Codec::<Named>::decode_as(&auto, Some(name), &payload).unwrap(), value, "{name}");
    }
    for other in FOREIGN.into_iter().chain(["text/plain"]) {
        assert_refused::<Named, _>(&auto, other, &written(&Protobuf, &value));
    }
    for other in FOREIGN.into_iter().chain(["application/protobuf", "text/plain; charset=iso-8859-1"]) {
        assert_refused::<String, _>(&Auto::new(Text), other, &Bytes::from_static(b"one"));
    }
}

#[test]
fn auto_over_raw_reads_codecs_by_their_names_and_bytes_by_any_other() {
    let auto = Auto::new(Raw);
    for name in ["image/png", "application/octet-stream", "text/plain"] {
        assert!(Codec::<Vec<u8>>::reads(&auto, name), "{name}");
        let read: Vec<u8> = auto.decode_as(Some(name), &Bytes::from_static(b"[1]")).unwrap();
        assert_eq!(read, b"[1]", "{name}");
    }
    let read: Vec<u8> = auto.decode_as(Some("application/json"), &Bytes::from_static(b"[1]")).unwrap();
    assert_eq!(read, [1]);
}
