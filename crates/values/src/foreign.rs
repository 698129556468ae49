//! Packs that others made: whether they may be kept as they are.
//!
//! Here an element that spells an integer is packed as one, and is searched for as one; a pack that
//! keeps it as text would hide it. Such packs, and those beyond a limit, are built anew from their
//! elements by whoever asked.

use smallvec::SmallVec;
use structures::KeyHash;
use structures::listpack::{Item, Listpack};

/// The longest integer is `-9223372036854775808`.
const DIGITS_MAX: usize = 20;

/// Marks that need no allocation.
const MARKS_INLINE: usize = 64;

/// Whether no element spells an integer without being one, and those at every `step`-th place from the
/// first on are at most `value_max` bytes long and differ; others are at most `other_max` bytes long.
/// Elements that differ may be taken for alike, but seldom.
pub(crate) fn is_kept_alike(
    pack: Listpack<'_>,
    step: usize,
    value_max: usize,
    other_max: usize,
) -> bool {
    let mut marks = SmallVec::<[u64; MARKS_INLINE]>::new();
    for (at, item) in pack.iter().enumerate() {
        let is_name = at.is_multiple_of(step);
        let len_max = if is_name { value_max } else { other_max };
        let alike = match item {
            Item::Int(_) => len_max >= DIGITS_MAX || item.len() <= len_max,
            Item::Bytes(bytes) => bytes.len() <= len_max && item.as_int().is_none(),
        };
        if !alike {
            return false;
        }
        if is_name {
            marks.push(mark(item));
        }
    }
    marks.sort_unstable();
    marks.is_sorted_by(|one, next| one < next)
}

/// Whether `item` does not spell an integer without being one.
pub(crate) fn is_alike(item: Item<'_>) -> bool {
    matches!(item, Item::Int(_)) || item.as_int().is_none()
}

/// A number that equal elements share.
fn mark(item: Item<'_>) -> u64 {
    /// Odd, with its bits well mixed.
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    match item {
        Item::Int(value) => value.cast_unsigned().wrapping_mul(FACTOR),
        Item::Bytes(bytes) => KeyHash::of(bytes),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Collection, Hash, HashLimits, List, ListLimits, Set, SetLimits, SortedSet, SortedSetLimits,
    };
    use structures::listpack::ListpackBuf;

    fn pack(words: &[&str]) -> Vec<u8> {
        let mut pack = ListpackBuf::new();
        for word in words {
            pack.push_back(word.as_bytes());
        }
        pack.into_bytes()
    }

    /// A pack that keeps the number 7 as text, as no server writes it.
    fn odd_pack() -> Vec<u8> {
        b"\x0d\x00\x00\x00\x02\x00\x817\x02\x81v\x02\xff".to_vec()
    }

    #[test]
    fn packs_are_kept_only_if_they_are_as_ours() {
        let (hash, set) = (
            HashLimits { entries: 2, value: 4 },
            SetLimits { intset_entries: 2, listpack_entries: 3, listpack_value: 4 },
        );
        for (words, is_hash, is_set) in [
            (&["a", "1", "b", "1"][..], true, false),
            (&["a", "1", "a", "2"], false, false),
            (&["1", "a", "1", "b"], false, false),
            (&["a", "1", "b"], false, true),
            (&["a", "1", "b", "2", "c", "3"], false, false),
            (&["a", "longer"], false, false),
            (&["a", "12345"], false, false),
            (&["1", "2"], true, false),
        ] {
            if words.len().is_multiple_of(2) {
                assert_eq!(Hash::of_pack(pack(words), hash).is_ok(), is_hash, "{words:?}");
            }
            assert_eq!(Set::of_pack(pack(words), set).is_ok(), is_set, "{words:?}");
        }
        assert!(Hash::of_pack(odd_pack(), hash).is_err());
        assert!(Set::of_pack(odd_pack(), set).is_err());
    }

    #[test]
    fn sorted_packs_are_kept_in_order_only() {
        let limits = SortedSetLimits { entries: 3, value: 4 };
        for (words, is_kept) in [
            (&["a", "1", "b", "1", "c", "1.5"][..], true),
            (&["a", "-inf", "b", "inf"], true),
            (&["b", "1", "a", "1"], false),
            (&["a", "2", "b", "1"], false),
            (&["a", "1", "a", "2"], false),
            (&["a", "nan"], false),
            (&["a", "word"], false),
            (&["a", "0.12345678901234568"], true),
            (&["longer", "1"], false),
        ] {
            let set = SortedSet::of_pack(pack(words), limits);
            assert_eq!(set.is_ok(), is_kept, "{words:?}");
        }
    }

    #[test]
    fn a_list_takes_packs_as_nodes() {
        let limits = ListLimits { size: 3, ..ListLimits::default() };
        let mut list = List::default();
        let mut expected = Vec::new();
        for words in [&["a", "1"][..], &["b"], &["c", "d", "e"], &[], &["f", "g", "h", "i"]] {
            list.push_pack(pack(words), limits);
            expected.extend(words.iter().map(|word| word.as_bytes().to_vec()));
        }
        list.push_pack(odd_pack(), limits);
        expected.extend([b"7".to_vec(), b"v".to_vec()]);
        let mut found = Vec::new();
        list.as_ref().walk(0, |item| {
            found.push(item.to_vec());
            true
        });
        assert_eq!(found, expected);
        assert_eq!(list.as_ref().len(), expected.len());
        assert_eq!(list.as_ref().encoding(), "quicklist");
        // What was kept as text is found, since it was packed anew.
        assert_eq!(list.remove_equal(b"7", 1, false, limits), 1);
    }
}
