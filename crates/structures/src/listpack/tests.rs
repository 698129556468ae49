//! Packs against vectors of strings, and against bytes written by stock.

use super::*;
use proptest::prelude::*;

fn strings(pack: Listpack<'_>) -> Vec<Vec<u8>> {
    pack.iter().map(Item::to_vec).collect()
}

fn pack(items: &[&[u8]]) -> ListpackBuf {
    let mut pack = ListpackBuf::new();
    for item in items {
        pack.push_back(item);
    }
    pack
}

/// Every encoding, as the specification gives it.
#[test]
fn elements_have_the_bytes_of_the_specification() {
    let rows: &[(&[u8], &[u8])] = &[
        (b"0", &[0, 1]),
        (b"127", &[127, 1]),
        (b"128", &[0xc0, 128, 2]),
        (b"-1", &[0xdf, 0xff, 2]),
        (b"4095", &[0xcf, 0xff, 2]),
        (b"-4096", &[0xd0, 0, 2]),
        (b"4096", &[0xf1, 0, 0x10, 3]),
        (b"-4097", &[0xf1, 0xff, 0xef, 3]),
        (b"32768", &[0xf2, 0, 0x80, 0, 4]),
        (b"-8388608", &[0xf2, 0, 0, 0x80, 4]),
        (b"8388608", &[0xf3, 0, 0, 0x80, 0, 5]),
        (b"-2147483648", &[0xf3, 0, 0, 0, 0x80, 5]),
        (b"2147483648", &[0xf4, 0, 0, 0, 0x80, 0, 0, 0, 0, 9]),
        (b"-9223372036854775808", &[0xf4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9]),
        (b"", &[0x80, 1]),
        (b"a", &[0x81, b'a', 2]),
        (b"01", &[0x82, b'0', b'1', 3]),
        (b"-0", &[0x82, b'-', b'0', 3]),
        (b"+1", &[0x82, b'+', b'1', 3]),
    ];
    for (spelled, encoded) in rows {
        let pack = pack(&[spelled]);
        assert_eq!(&pack.as_bytes()[HEADER_LEN..pack.as_bytes().len() - 1], *encoded);
        assert_eq!(strings(Listpack::validate(pack.as_bytes()).unwrap()), [spelled.to_vec()]);
    }
    for len in [63, 64, 126, 127, 4095, 4096, 16_377, 16_378, 16_379, 70_000, 2_097_145, 2_097_146]
    {
        let long = vec![b'x'; len];
        let pack = pack(&[b"1", &long, b"2"]);
        let view = Listpack::validate(pack.as_bytes()).unwrap();
        assert_eq!(strings(view), [b"1".to_vec(), long, b"2".to_vec()]);
        assert_eq!(view.iter().rev().count(), 3);
    }
}

#[test]
fn more_elements_than_the_header_counts() {
    let mut pack = ListpackBuf::new();
    for _ in 0..70_000 {
        pack.push_back(b"7");
    }
    assert_eq!(pack.len(), 70_000);
    assert!(Listpack::validate(pack.as_bytes()).is_some());
    assert_eq!(pack.view().index(-70_000), Some(HEADER_LEN));
    assert_eq!(pack.view().index(70_000), None);
    pack.truncate_back(10_000);
    assert_eq!(pack.len(), 60_000);
    pack.truncate_front(100_000);
    assert_eq!(pack, ListpackBuf::new());
}

#[test]
fn finding_passes_over_values() {
    let pack = pack(&[b"a", b"b", b"b", b"5", b"5", b"c"]);
    let view = pack.view();
    assert_eq!(view.find(None, b"b", 1), view.index(2));
    assert_eq!(view.find(None, b"b", 0), view.index(1));
    assert_eq!(view.find(None, b"5", 1), view.index(4));
    assert_eq!(view.find(view.index(3), b"5", 0), view.index(3));
    assert_eq!(view.find(None, b"c", 1), None);
    assert_eq!(view.find(None, b"05", 0), None);
}

fn string() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        (-5000_i64..5000).prop_map(|value| value.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..100),
        "[-+0-9]{0,4}".prop_map(String::into_bytes),
        (4000_usize..4200).prop_map(|len| vec![b'y'; len]),
    ]
}

#[derive(Clone, Debug)]
enum Edit {
    Back(Vec<u8>),
    Front(Vec<u8>),
    Before(usize, Vec<u8>),
    After(usize, Vec<u8>),
    Replace(usize, Vec<u8>),
    Remove(usize, usize),
    CutFront(usize),
    CutBack(usize),
    Append(Vec<Vec<u8>>),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => string().prop_map(Edit::Back),
        4 => string().prop_map(Edit::Front),
        2 => (any::<usize>(), string()).prop_map(|(at, new)| Edit::Before(at, new)),
        2 => (any::<usize>(), string()).prop_map(|(at, new)| Edit::After(at, new)),
        2 => (any::<usize>(), string()).prop_map(|(at, new)| Edit::Replace(at, new)),
        2 => (any::<usize>(), 0_usize..4).prop_map(|(at, count)| Edit::Remove(at, count)),
        1 => (0_usize..4).prop_map(Edit::CutFront),
        1 => (0_usize..4).prop_map(Edit::CutBack),
        1 => prop::collection::vec(string(), 0..3).prop_map(Edit::Append),
    ]
}

fn apply(pack: &mut ListpackBuf, model: &mut Vec<Vec<u8>>, edit: Edit) {
    let place = |at: usize, pack: &ListpackBuf, len: usize| {
        let index = at % len;
        (index, pack.view().index(isize::try_from(index).unwrap()).unwrap())
    };
    let len = model.len();
    match edit {
        Edit::Back(new) => {
            pack.push_back(&new);
            model.push(new);
        }
        Edit::Front(new) => {
            pack.push_front(&new);
            model.insert(0, new);
        }
        Edit::Append(news) => {
            let other: Vec<&[u8]> = news.iter().map(Vec::as_slice).collect();
            pack.append(super::tests::pack(&other).view());
            model.extend(news);
        }
        Edit::CutFront(count) => {
            pack.truncate_front(count);
            model.drain(..count.min(len));
        }
        Edit::CutBack(count) => {
            pack.truncate_back(count);
            model.truncate(len.saturating_sub(count));
        }
        _ if len == 0 => {}
        Edit::Before(at, new) => {
            let (index, at) = place(at, pack, len);
            pack.insert_before(at, &new);
            assert!(pack.view().get(at).is(&new));
            model.insert(index, new);
        }
        Edit::After(at, new) => {
            let (index, at) = place(at, pack, len);
            pack.insert_after(at, &new);
            model.insert(index + 1, new);
        }
        Edit::Replace(at, new) => {
            let (index, at) = place(at, pack, len);
            pack.replace(at, &new);
            model[index] = new;
        }
        Edit::Remove(at, count) => {
            let (index, at) = place(at, pack, len);
            let removed = pack.remove(at, count);
            assert_eq!(removed, count.min(len - index));
            model.drain(index..index + removed);
        }
    }
}

proptest! {
    #[test]
    fn a_pack_is_a_vector(edits in prop::collection::vec(edit(), 0..40)) {
        let (mut pack, mut model) = (ListpackBuf::new(), Vec::new());
        for edit in edits {
            apply(&mut pack, &mut model, edit);
            let view = Listpack::validate(pack.as_bytes()).expect("edits keep the form");
            prop_assert_eq!(view.len(), model.len());
            prop_assert_eq!(strings(view), model.clone());
            let mut backwards: Vec<_> = view.iter().rev().map(Item::to_vec).collect();
            backwards.reverse();
            prop_assert_eq!(&backwards, &model);
            for index in 0..model.len() {
                let (forth, len) = (isize::try_from(index).unwrap(), isize::try_from(model.len()).unwrap());
                let at = view.index(forth).unwrap();
                prop_assert_eq!(view.index(forth - len), Some(at));
                prop_assert!(view.get(at).is(&model[index]));
                let first = model.iter().position(|other| *other == model[index]).unwrap();
                prop_assert_eq!(
                    view.find(None, &model[index], 0),
                    view.index(isize::try_from(first).unwrap())
                );
            }
            // One spelling only: packing the same strings anew gives the same bytes.
            let again: Vec<&[u8]> = model.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(super::tests::pack(&again), pack.clone());
        }
    }

    #[test]
    fn damaged_packs_are_refused_or_walked(
        items in prop::collection::vec(string(), 0..8),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in 0_usize..3,
    ) {
        let items: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
        let mut bytes = pack(&items).into_bytes();
        bytes.truncate(bytes.len() - cut);
        for (place, byte) in damage {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(view) = Listpack::validate(&bytes) {
            prop_assert_eq!(view.iter().count(), view.iter().rev().count());
            prop_assert_eq!(view.len(), view.iter().count());
        }
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Listpack::validate(&bytes);
    }

    #[test]
    fn integers_are_those_that_print_so(bytes in "-?[0-9]{0,20}") {
        let known = bytes.parse::<i64>().ok().filter(|value| value.to_string() == bytes);
        prop_assert_eq!(integer(bytes.as_bytes()), known);
    }
}
