//! Every codec reads what it wrote, and refuses what is too large or not its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use flux_codec::{Auto, Bincode, Cbor, Format, Json, MsgPack, Postcard, Protobuf, Raw, Text};
use flux_core::{Codec, ErrorKind};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    New(u64),
    Tuple(i8, String),
    Struct { at: Option<f64>, flags: Vec<bool> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sample {
    id: u64,
    signed: i64,
    ratio: f64,
    name: String,
    note: Option<String>,
    kinds: Vec<Kind>,
    map: BTreeMap<String, (u16, i32)>,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Unit),
        any::<u64>().prop_map(Kind::New),
        any::<(i8, String)>().prop_map(|(number, text)| Kind::Tuple(number, text)),
        (prop::option::of(-1e300..1e300_f64), any::<Vec<bool>>()).prop_map(|(at, flags)| Kind::Struct { at, flags }),
    ]
}

fn sample() -> impl Strategy<Value = Sample> {
    let map = prop::collection::btree_map(any::<String>(), any::<(u16, i32)>(), 0..4);
    let kinds = prop::collection::vec(kind(), 0..6);
    (any::<u64>(), any::<i64>(), -1e300..1e300_f64, any::<String>(), any::<Option<String>>(), kinds, map)
        .prop_map(|(id, signed, ratio, name, note, kinds, map)| Sample { id, signed, ratio, name, note, kinds, map })
}

fn written<T, C: Codec<T>>(codec: &C, value: &T) -> Bytes {
    let mut buffer = Vec::new();
    codec.encode(value, &mut buffer).expect("it encodes");
    buffer.into()
}

/// What a codec promises, shown on one value.
fn check<T: Debug + Clone + PartialEq, C>(codec: C, value: &T)
where
    C: Codec<T> + Format<T> + Copy,
{
    let bytes = written(&codec, value);
    assert_eq!(&codec.decode(&bytes).unwrap(), value);
    assert_eq!(codec.to_bytes(value.clone(), &mut Vec::new()).unwrap(), bytes);
    assert_eq!(&codec.decode_as(Some(Codec::<T>::content_type(&codec)), &bytes).unwrap(), value);
    assert_eq!(&codec.decode_as(None, &bytes).unwrap(), value);

    let exact = flux_codec::Limited::new(codec, bytes.len());
    assert_eq!(&exact.decode(&bytes).unwrap(), value);
    if let Some(less) = bytes.len().checked_sub(1) {
        let tight = flux_codec::Limited::new(codec, less);
        let (reading, writing) = (tight.decode(&bytes).unwrap_err(), tight.encode(value, &mut Vec::new()).unwrap_err());
        assert_eq!((reading.kind(), writing.kind()), (ErrorKind::TooLarge, ErrorKind::TooLarge));
        assert!(reading.to_string().contains(&format!("{}", bytes.len())), "{reading}");
    }
}

/// A value is not followed by anything.
fn check_trailing<T: Debug, C: Codec<T>>(codec: C, value: &T) {
    let mut longer = written(&codec, value).to_vec();
    longer.push(0x00);
    assert_eq!(codec.decode(&longer.into()).unwrap_err().kind(), ErrorKind::Codec);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_codec_of_serde_types_reads_what_it_wrote(value in sample()) {
        check(Json, &value);
        check(Cbor, &value);
        check(MsgPack, &value);
        check(Postcard, &value);
        check(Bincode, &value);
        check_trailing(Json, &value);
        check_trailing(Cbor, &value);
        check_trailing(MsgPack, &value);
        check_trailing(Postcard, &value);
        check_trailing(Bincode, &value);
    }

    #[test]
    fn auto_reads_what_any_of_them_wrote(value in sample()) {
        let auto = Auto::new(Postcard);
        for (content_type, bytes) in [
            ("application/json; charset=utf-8", written(&Json, &value)),
            ("application/cbor", written(&Cbor, &value)),
            ("application/msgpack", written(&MsgPack, &value)),
            ("application/x-bincode", written(&Bincode, &value)),
            ("application/x-postcard", written(&auto, &value)),
        ] {
            let read: Sample = auto.decode_as(Some(content_type), &bytes).unwrap();
            prop_assert_eq!(&read, &value, "{}", content_type);
        }
        let read: Sample = auto.decode_as(None, &written(&Postcard, &value)).unwrap();
        prop_assert_eq!(&read, &value);
    }

    #[test]
    fn text_raw_and_protobuf_read_what_they_wrote(text: String, bytes: Vec<u8>, number: i64) {
        check(Text, &text);
        check(Raw, &Bytes::from(bytes.clone()));
        check(Raw, &bytes);
        check(Protobuf, &Proto { number, text, inner: Some(Box::new(Proto::default())) });
    }

    #[test]
    fn noise_is_an_error_or_a_value_but_never_a_panic(bytes: Vec<u8>) {
        let bytes = Bytes::from(bytes);
        let _: Result<Sample, _> = Json.decode(&bytes);
        let _: Result<Sample, _> = Cbor.decode(&bytes);
        let _: Result<Sample, _> = MsgPack.decode(&bytes);
        let _: Result<Sample, _> = Postcard.decode(&bytes);
        let _: Result<Sample, _> = Bincode.decode(&bytes);
        let _: Result<Proto, _> = Protobuf.decode(&bytes);
        let _: Result<String, _> = Text.decode(&bytes);
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Proto {
    #[prost(int64, tag = "1")]
    number: i64,
    #[prost(string, tag = "2")]
    text: String,
    #[prost(message, optional, boxed, tag = "3")]
    inner: Option<Box<Proto>>,
}

#[test]
fn a_payload_of_another_content_type_is_refused_by_both_names() {
    let error = Codec::<Sample>::decode_as(&Json, Some("application/cbor"), &Bytes::from_static(b"{}")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(
        error.to_string().contains("application/cbor") && error.to_string().contains("application/json"),
        "{error}"
    );
    let error =
        Codec::<Sample>::decode_as(&Auto::new(Json), Some("text/html"), &Bytes::from_static(b"{}")).unwrap_err();
    assert!(error.to_string().contains("text/html") && error.to_string().contains("application/cbor"), "{error}");
    let raw: Bytes = Raw.decode_as(Some("image/png"), &Bytes::from_static(b"png")).unwrap();
    assert_eq!(raw, "png");
}

#[test]
fn the_error_names_the_type_and_its_source_the_place() {
    let error = Codec::<Sample>::decode(&Json, &Bytes::from_static(b"{\"id\": \"seven\"}")).unwrap_err();
    assert!(error.to_string().contains("Sample"), "{error}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("line 1 column 14"), "{source}");
}

/// Eight mebibytes, written out: the bound that the documentation names.
const BOUND: usize = 8_388_608;

/// Without `with_limit`, `codec` reads and writes a payload of 8 MiB and none of a byte more. `of` makes a value from its text.
fn check_default_bound<T: Debug + Clone + PartialEq, C>(codec: C, of: impl Fn(String) -> T)
where
    C: Codec<T> + Format<T> + Copy,
{
    let name = std::any::type_name::<C>();
    let unbounded = flux_codec::Limited::new(codec, usize::MAX);
    // What a codec adds to so long a text is as long for all of these lengths.
    let added = written(&unbounded, &of("x".repeat(BOUND))).len() - BOUND;
    let [fits, over] = [BOUND, BOUND + 1].map(|length| of("x".repeat(length - added)));

    let payload = codec.to_bytes(fits.clone(), &mut Vec::new()).unwrap();
    assert_eq!((payload.len(), &written(&codec, &fits)), (BOUND, &payload), "{name}");
    assert!(codec.decode(&payload).unwrap() == fits, "{name}");
    assert_eq!(Codec::<T>::limit(&codec), Some(BOUND), "{name}");

    let payload = written(&unbounded, &over);
    assert_eq!(payload.len(), BOUND + 1, "{name}");
    let noise = Bytes::from(vec![0xc1; BOUND + 1]);
    for refused in [
        codec.decode(&payload).unwrap_err(),
        // Not parsed: what it would be read as is another error.
        codec.decode(&noise).unwrap_err(),
        codec.decode_as(Some(Codec::<T>::content_type(&codec)), &noise).unwrap_err(),
        codec.encode(&over, &mut Vec::new()).unwrap_err(),
        codec.to_bytes(over, &mut Vec::new()).unwrap_err(),
    ] {
        assert_eq!(refused.kind(), ErrorKind::TooLarge, "{name}: {refused}");
    }
}

#[test]
fn the_bound_is_eight_mebibytes_unless_another_is_set() {
    check_default_bound(Json, |text| text);
    check_default_bound(Cbor, |text| text);
    check_default_bound(MsgPack, |text| text);
    check_default_bound(Postcard, |text| text);
    check_default_bound(Bincode, |text| text);
    check_default_bound(Text, |text| text);
    check_default_bound(Raw, Bytes::from);
    check_default_bound(Raw, String::into_bytes);
    check_default_bound(Protobuf, |text| Proto { number: 0, text, inner: None });
    assert_eq!(Codec::<Sample>::limit(&Auto::new(Json)), Some(BOUND));
}
