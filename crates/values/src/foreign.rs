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
