//! The bound of the codec that writes holds for all that `Auto` reads.

use bytes::Bytes;
use flux_codec::{Auto, Bincode, Cbor, DEFAULT_LIMIT, Json, MsgPack, Postcard};
use flux_core::{Codec, ErrorKind};

use crate::memory::alone;
use crate::shapes::{Nested, written};

/// Twice the bound that a codec has by default.
const LIMIT: usize = 2 * DEFAULT_LIMIT;

const TYPES: [&str; 5] =
    ["application/json", "application/cbor", "application/msgpack", "application/x-postcard", "application/x-bincode"];

#[test]
fn a_smaller_bound_holds_whatever_the_content_type() {
    let _alone = alone();
    let auto = Auto::new(Json.with_limit(100));
    assert_eq!(Codec::<String>::limit(&auto), Some(100));
    for content_type in TYPES {
        let error = Codec::<String>::decode_as(&auto, Some(content_type), &vec![b' '; 101].into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{content_type}: {error}");
    }
}

#[test]
fn a_larger_bound_holds_whatever_the_content_type() {
    let _alone = alone();
    let auto = Auto::new(Json.with_limit(LIMIT));
    let text = "x".repeat(DEFAULT_LIMIT + 1);
    let written = [
        written(&Json.with_limit(LIMIT), &text),
        written(&Cbor.with_limit(LIMIT), &text),
        written(&MsgPack.with_limit(LIMIT), &text),
        written(&Postcard.with_limit(LIMIT), &text),
        written(&Bincode.with_limit(LIMIT), &text),
    ];
    for (content_type, bytes) in TYPES.into_iter().zip(written) {
        assert!(auto.decode_as(Some(content_type), &bytes).is_ok_and(|read: String| read == text), "{content_type}");
    }
}

#[test]
fn what_is_hostile_is_refused_by_its_content_type() {
    let _alone = alone();
    for (content_type, level) in TYPES.into_iter().zip([b'[', 0x81, 0x91, 1, 1]) {
        let payload = Bytes::from(vec![level; 1_000_000]);
        let error = Codec::<Nested>::decode_as(&Auto::new(Json), Some(content_type), &payload).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec, "{content_type}");
    }
}
