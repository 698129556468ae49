//! Forms, estimates and foreign bytes.

use super::*;
use proptest::prelude::*;

const SPARSE_MAX: usize = 3000;

fn added(count: u32, sparse_max: usize) -> Vec<u8> {
    let mut bytes = empty();
    for number in 0..count {
        let seen = Sighting::of(number.to_string().as_bytes());
        let news = is_news(&bytes, seen).unwrap();
        assert_eq!(add(&mut bytes, seen, sparse_max), Ok(news));
        assert_eq!(is_news(&bytes, seen), Ok(false));
    }
    bytes
}

/// From stock: PFADD of "a", "b" and "c" one after the other, then GET.
#[test]
fn bytes_are_stocks() {
    assert_eq!(empty(), b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
    let mut bytes = empty();
    for element in [b"a", b"b", b"c"] {
        add(&mut bytes, Sighting::of(element), SPARSE_MAX).unwrap();
    }
    assert_eq!(bytes, STOCK_ABC);
    assert_eq!(estimate(&bytes), Ok(3));
}

const STOCK_ABC: &[u8] = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80`\xf3\x80P\xb1\x84K\xfb\x80BZ";

#[test]
fn estimates_are_near_and_alike_in_both_forms() {
    for count in [0, 1, 2, 10, 100, 1000, 5000, 20_000] {
        let (sparse, dense) = (added(count, SPARSE_MAX), added(count, 0));
        assert_eq!(encoding(&sparse) == Ok(Encoding::Sparse), count <= 1000, "{count}");
        let estimated = estimate(&sparse).unwrap();
        assert_eq!(estimate(&dense), Ok(estimated));
        let error = (f64::from(count) - f64::from(u32::try_from(estimated).unwrap())).abs();
        assert!(error <= f64::from(count) * 0.03, "{count}: {estimated}");
        let mut union = Union::default();
        union.add(&sparse).unwrap();
        assert_eq!(union.estimate(), estimated);
        let mut made = sparse.clone();
        become_dense(&mut made).unwrap();
        if count > 0 {
            assert_eq!(made[HEADER_BYTES..], dense[HEADER_BYTES..]);
        }
    }
}

#[test]
fn unions_hold_both() {
    let (mut union, mut all) = (Union::default(), empty());
    for bytes in [added(700, 0), added(300, SPARSE_MAX)] {
        union.add(&bytes).unwrap();
    }
    for seen in union.sightings() {
        add(&mut all, seen, SPARSE_MAX).unwrap();
    }
    assert_eq!(estimate(&all), Ok(union.estimate()));
    assert_eq!(estimate(&all), estimate(&added(700, 0)));
}

#[test]
fn the_header_remembers() {
    let mut bytes = added(3, SPARSE_MAX);
    assert_eq!(remembered(&bytes), None);
    remember(&mut bytes, 3);
    assert_eq!(remembered(&bytes), Some(3));
    set_stale(&mut bytes);
    assert_eq!(remembered(&bytes), None);
}

#[test]
fn foreign_bytes() {
    let sound = added(3, SPARSE_MAX);
    let changed = |at: usize, byte: u8| {
        let mut bytes = sound.clone();
        bytes[at] = byte;
        bytes
    };
    for bytes in [b"".to_vec(), b"HYLL".to_vec(), changed(0, b'X'), changed(4, 0), changed(4, 2)] {
        assert_eq!(encoding(&bytes), Err(HyperLogLogError::Foreign));
    }
    let longer = [&sound[..], b"hello"].concat();
    for bytes in [&longer[..], &sound[..sound.len() - 1], &sound[..HEADER_BYTES]] {
        assert_eq!(estimate(bytes), Err(HyperLogLogError::Corrupted));
        assert_eq!(Union::default().add(bytes), Err(HyperLogLogError::Corrupted));
        assert_eq!(become_dense(&mut bytes.to_vec()), Err(HyperLogLogError::Corrupted));
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(tail in prop::collection::vec(any::<u8>(), 0..200), element: [u8; 4]) {
        let mut bytes = [&b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0"[..], &tail].concat();
        let _ = decoded(&bytes);
        let _ = estimate(&bytes);
        let _ = add(&mut bytes, Sighting::of(&element), SPARSE_MAX);
        let _ = become_dense(&mut bytes);
    }

    #[test]
    fn registers_are_kept(seen in prop::collection::vec((0..REGISTERS, 1_u8..=51), 0..300)) {
        let (mut model, mut bytes) = (vec![0; REGISTERS], empty());
        for (register, run) in seen {
            let expected = run > model[register];
            let news = add(&mut bytes, Sighting { register, run }, SPARSE_MAX);
            prop_assert_eq!(news, Ok(expected));
            model[register] = run.max(model[register]);
        }
        let mut union = Union::default();
        union.add(&bytes).unwrap();
        prop_assert_eq!(union.registers(), &model[..]);
    }
}
