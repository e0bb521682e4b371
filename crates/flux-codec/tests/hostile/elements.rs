//! Elements without bytes: as many as a length says, out of nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use flux_codec::{Bincode, Cbor, DEFAULT_LIMIT, MsgPack, Postcard};
use flux_core::Codec;

use crate::memory::{alone, memory};
use crate::shapes::{Nothing, Skipped, Value, refused, written};

const POSTCARD: [u8; 10] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
const BINCODE: [u8; 9] = [0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

fn refused_by_all<T: Value>() {
    refused::<T>(&Postcard, POSTCARD);
    refused::<T>(&Bincode, BINCODE);
}

#[test]
#[expect(clippy::zero_sized_map_values, reason = "that is what is tried")]
fn elements_without_bytes_come_to_an_end() {
    let _alone = alone();
    refused_by_all::<Vec<()>>();
    refused_by_all::<Vec<Nothing>>();
    refused_by_all::<Vec<[u8; 0]>>();
    refused_by_all::<BTreeMap<(), ()>>();
    refused::<Vec<Vec<()>>>(&Postcard, [&[120][..], &POSTCARD].concat());
    refused::<Vec<Nothing>>(&MsgPack, [0xdd, 0xff, 0xff, 0xff, 0xff]);
    refused::<Vec<Nothing>>(&Cbor, [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    refused::<BTreeMap<Nothing, Nothing>>(&Cbor, [0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
}

#[test]
fn elements_without_bytes_take_no_more_memory_than_the_bound() {
    let _alone = alone();
    for limit in [100, 1 << 20, DEFAULT_LIMIT] {
        let check = |(result, taken): (flux_core::Result<Vec<Skipped>>, usize)| {
            assert!(result.is_err());
            // A vector grows by doubling, so there is at most twice of what it holds.
            assert!(taken <= 2 * limit + 16 * 1024, "{taken} bytes under a bound of {limit}");
        };
        check(memory(|| Postcard.with_limit(limit).decode(&Bytes::copy_from_slice(&POSTCARD))));
        check(memory(|| Bincode.with_limit(limit).decode(&Bytes::copy_from_slice(&BINCODE))));
    }
}

#[test]
fn elements_without_bytes_are_read_as_far_as_the_bound_goes() {
    let _alone = alone();
    let units = vec![(); 500_000];
    let read: Vec<()> = Postcard.decode(&written(&Postcard, &units)).unwrap();
    assert_eq!(read, units);
    let read: Vec<()> = Bincode.decode(&written(&Bincode, &units)).unwrap();
    assert_eq!(read, units);
    let codec = Postcard.with_limit(160);
    let count = |elements: usize| codec.decode(&written(&codec, &vec![(); elements])).map(|read: Vec<()>| read.len());
    assert_eq!(count(11).unwrap(), 11); // one by the byte of the length, ten by the bound: sixteen bytes each
    assert!(count(12).is_err());
}

/// Eight fields in one byte.
type Fields = ((((), ()), ()), ((), u8, ()));

#[test]
fn what_the_type_counts_is_not_counted() {
    let _alone = alone();
    let value: Vec<Fields> = vec![((((), ()), ()), ((), 1, ())); 100];
    let codec = Postcard.with_limit(101);
    let read: Vec<Fields> = codec.decode(&written(&codec, &value)).unwrap();
    assert_eq!(read, value);
}
