//! Payloads and digests of stock 7.0.15, and values that nobody should have sent.

use super::*;
use rdb::{Encoder, HashField, payload, restore};

/// The bytes that hexadecimal `digits` stand for.
fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
    (0..digits.len() / 2).map(byte).collect()
}

fn built(value: LoadedValue) -> Result<Entry, BadValue> {
    entry(b"k", value, None, &Limits::default())
}

/// That `payload` (DUMP) is a value with `digest` (DEBUG DIGEST-VALUE), and with `same` is written
/// back to the byte.
#[track_caller]
pub(super) fn check(payload: &str, digest: &str, same: bool) {
    let bytes = unhex(payload);
    let entry = built(restore(&bytes, true, true).unwrap()).unwrap();
    let kind = Kind::of_tag(entry.tag()).0;
    let found = super::digest(ValueDigest::new(kind), &entry).finish(false);
    assert_eq!(found.to_string(), digest);
    if same {
        assert_eq!(payload::dump(&mut Encoder::new(true), saved(&entry)), bytes);
    }
}

#[test]
fn payloads_of_stock_are_understood_and_written_alike() {
    let digest = "bff1310353f341fe4488c7323df3673679c04f02";
    check("0b0e0200000003000000010002002c010a00e510b28e7b9529aa", digest, true);
    let digest = "56367bfc1435b3c453549fc1b99f2e428787163c";
    check("1013130000000400816102010181620282787803ff0a0073224008fdda76d5", digest, true);
    let digest = "a991762a32e9cd24ab9a240b1cc4e77c781581fe";
    // Strings are compressed in other ways than stock's.
    check("04010166c3094064017878e057000178780a00521178d175a9af13", digest, false);
    // The order of a table is everybody's own.
    let digest = "4db2915dc242371e719444ddc8b328e38ac18e1c";
    check("0203c007016201610a00039469d4e73b803f", digest, false);
    let digest = "7e0a149ff63c2cabb37905f8eb7bae6990c54426";
    check("1115150000000400816302dffd0281620283312e3504ff0a0043fcf36541b6b1cf", digest, true);
    // Loaded, it is small enough to be packed.
    let digest = "f2ad7cda97b68291b8199d655f83d19f6e41e93c";
    check(
        "0503016200000000000004400161000000000000f03f0163000000000000f0ff0a009a24ca8fdcb1d08c",
        digest,
        false,
    );
    // The sign of a zero stays where a long member keeps the set from being packed.
    let digest = "924abe227d60f4ca08ad251eb0b53f55a2d729ac";
    check(
        "050201610000000000000080c3094041016d6de03400016d6d000000000000f0bf0a0099f165859fc2041a",
        digest,
        false,
    );
}

#[test]
fn impossible_values_are_refused() {
    let field = |expire_at| HashField { field: b"f".to_vec(), value: Vec::new(), expire_at };
    for (value, reason) in [
        (LoadedValue::Set(Vec::new()), BadValue::Empty),
        (LoadedValue::Set(vec![b"1".to_vec(), b"1".to_vec()]), BadValue::Duplicate),
        (LoadedValue::Hash(Vec::new()), BadValue::Empty),
        (LoadedValue::Hash(vec![field(None), field(None)]), BadValue::Duplicate),
        (LoadedValue::Hash(vec![field(Some(Millis(9))), field(None)]), BadValue::Duplicate),
        (LoadedValue::SortedSet(Vec::new()), BadValue::Empty),
        (
            LoadedValue::SortedSet(vec![(b"m".to_vec(), 1.0), (b"m".to_vec(), 2.0)]),
            BadValue::Duplicate,
        ),
        (LoadedValue::SortedSet(vec![(b"m".to_vec(), f64::NAN)]), BadValue::Damaged),
    ] {
        assert_eq!(built(value).unwrap_err(), reason);
    }
}

#[test]
fn streams_of_stock_are_understood_and_written_alike() {
    // Entries of two shapes and a mark in one block; a group with two consumers and one without.
    let payload = "130110000000000000000100000000000000013f3f000000190002010101020181660281670200\
         010201000100018176020c0105010301000101018177020d010501000101010401010181680281\
         76020601ff0202050101010203020167010181ffffffffffffffff010000000000000001000000\
         0000000001b80b0d22a201000001020163b80b0d22a20100000100000000000000010000000000\
         0000010164bc0b0d22a201000000026732020581ffffffffffffffff00000a00c97521261d7ed0\
         0c";
    check(payload, "5f864defb7973b2200ea1446333d00c9785754bd", true);
}

#[test]
fn a_block_of_deleted_entries_is_passed_over() {
    // XADD s 4-0 d -1, XADD s 9-9 c -1, XDEL s 9-9, XTRIM s MINID 5-5.
    let payload = "\
        130110000000000000000400000000000000002d2d00000011000001020101018164020001030100\
        010001dfff0204010101050109010101816302dfff020601ff0009090000090902000a002992bbb4\
        df1518f2\
        ";
    check(payload.trim(), "06bd01623de1d087bbd377851096317b1af476a2", false);
}

/// XSETID of stock 7.0 sets a stream's last id below those that were deleted.
#[test]
fn a_stream_goes_on_below_ids_that_were_deleted() {
    let limits = values::stream::Limits { block_bytes: 4096, block_entries: 100 };
    let words: &[&[u8]] = &[b"f", b"v"];
    let mut stream = Stream::default();
    for ms in [1, 10] {
        stream.add(values::stream::StreamId::new(ms, 0), words, limits).unwrap();
    }
    stream.delete(values::stream::StreamId::new(10, 0));
    let image = |stream: &Stream| match Stream::saved(stream) {
        SavedValue::Stream(image) => image.into_owned(),
        _ => panic!("a stream"),
    };
    let mut lowered = image(&stream);
    lowered.last_id = (5, 0);
    let mut built = super::stream::build(lowered.clone()).unwrap();
    built.add(values::stream::StreamId::new(6, 0), words, limits).unwrap();
    assert_eq!(super::stream::build(image(&built)).unwrap().len(), 2);
    lowered.last_id = (0, 9);
    assert_eq!(super::stream::build(lowered), Err(BadValue::Damaged));
}
