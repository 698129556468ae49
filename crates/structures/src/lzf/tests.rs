//! Rows by the format's definition, a string packed by stock, round trips and damaged inputs.

use super::*;
use proptest::prelude::*;

fn pack(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Compressor::new().compress(input, usize::MAX, &mut out).unwrap();
    out
}

#[test]
fn elements_by_definition() {
    let rows: &[(&[u8], &[u8])] = &[
        (b"", b""),
        (b"\x02abc", b"abc"),
        (b"\x00a\xe0\x00\x00", b"aaaaaaaaaa"),
        (b"\x01ab\x40\x01", b"ababab"),
        (b"\x02abc\x20\x02", b"abcabc"),
    ];
    for &(packed, text) in rows {
        assert_eq!(decompress(packed, text.len()).unwrap(), text);
    }
}

#[test]
fn damage_is_named() {
    let rows: &[(&[u8], usize, LzfError)] = &[
        (b"\x02ab", 3, LzfError::Truncated),
        (b"\x00a\xe0\x00", 10, LzfError::Truncated),
        (b"\x00a\x20", 4, LzfError::Truncated),
        (b"\x20\x00", 3, LzfError::BadDistance),
        (b"\x00a\x20\x01", 4, LzfError::BadDistance),
        (b"\x00a", 2, LzfError::BadLength),
        (b"\x01ab", 1, LzfError::BadLength),
        (b"\x00a\x20\x00", 3, LzfError::BadLength),
        (b"\x00a", usize::MAX, LzfError::BadLength),
        (b"", 1, LzfError::BadLength),
    ];
    for &(packed, len, error) in rows {
        assert_eq!(decompress(packed, len), Err(error), "{packed:?}");
    }
}

#[test]
fn runs_shrink_and_noise_is_left_alone() {
    let zeros = vec![0; 100_000];
    let packed = pack(&zeros);
    assert!(packed.len() < 100_000 / 80, "{}", packed.len());
    assert_eq!(decompress(&packed, zeros.len()).unwrap(), zeros);
    let noise: Vec<u8> = (0u32..200).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut out = b"before".to_vec();
    assert_eq!(Compressor::new().compress(&noise, noise.len() - 4, &mut out), None);
    assert_eq!(out, b"before");
}

#[test]
fn inputs_do_not_see_each_other() {
    let mut compressor = Compressor::new();
    let mut near_the_end = Compressor { base: u32::MAX - 150, ..Compressor::new() };
    for n in 0..100 {
        let input = format!("value {n} value {n} value {n} value {}", n + 1);
        for compressor in [&mut compressor, &mut near_the_end] {
            let mut out = Vec::new();
            compressor.compress(input.as_bytes(), usize::MAX, &mut out).unwrap();
            assert_eq!(decompress(&out, input.len()).unwrap(), input.as_bytes());
        }
    }
}

proptest! {
    #[test]
    fn unpacking_undoes_packing(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..20), 1usize..400), 0..60)
    ) {
        let input: Vec<u8> = pieces.iter().flat_map(|(bytes, times)| bytes.repeat(*times)).collect();
        let packed = pack(&input);
        prop_assert_eq!(decompress(&packed, input.len()).unwrap(), input);
    }

    #[test]
    fn any_bytes_unpack_or_are_refused(packed: Vec<u8>, len in 0usize..10_000) {
        if let Ok(text) = decompress(&packed, len) {
            prop_assert_eq!(text.len(), len);
        }
    }
}
