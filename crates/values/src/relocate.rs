//! Moving what a value owns to better places in memory, some elements at a time.
//!
//! Where a value lies is no business of its walks, so one that is being saved is moved as any other: the
//! epochs go along. Only what a walk has taken a reference to stays (`shared`).
//!
//! Not moved: the nodes of a stream's tree of blocks, its groups, and values of modules.

use crate::Object;
use structures::Mover;

/// What a node of a list, a block of a stream or a leaf of a tree counts for, in elements.
pub(crate) const NODE_ELEMENTS: usize = 16;

impl Object {
    /// Moves what the value owns where `mover` wants it, the parts behind `reached` and about `elements`
    /// elements of them; `reached` is zero at first. Gives how far it has come, zero at the end. The value
    /// may change in between: then some of its parts may not be looked at.
    pub fn relocate(&mut self, reached: u128, elements: usize, mover: &mut Mover) -> u128 {
        match self {
            Object::Text(text) => text.relocate(mover),
            Object::List(list) => return list.relocate(reached, elements, mover),
            Object::Set(set) => return set.relocate(reached, elements, mover),
            Object::Hash(hash) => return hash.relocate(reached, elements, mover),
            Object::SortedSet(set) => return set.relocate(reached, elements, mover),
            Object::Stream(stream) => {
                mover.boxed(stream);
                return stream.relocate(reached, elements, mover);
            }
            Object::Module(_) => {}
        }
        0
    }
}

/// Goes through a table from the cursor `reached` on: `visit` is given a cursor, and gives how many
/// elements it saw and the next cursor.
pub(crate) fn through(
    reached: u128,
    elements: usize,
    mut visit: impl FnMut(u64) -> (usize, u64),
) -> u128 {
    let mut cursor = u64::try_from(reached).unwrap_or(0);
    let mut left = elements;
    while left > 0 {
        let (seen, next) = visit(cursor);
        if next == 0 {
            return 0;
        }
        // An empty bucket counts as well.
        (cursor, left) = (next, left.saturating_sub(seen.max(1)));
    }
    cursor.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::End;
    use crate::stream::{Limits, StreamId};
    use crate::{
        Collection, HashLimits, List, ListLimits, Set, SetLimits, SortedSet, SortedSetLimits,
    };
    use crate::{Hash, Stream};
    use base::Millis;

    /// Enough for large forms of several nodes and chunks.
    const ELEMENTS: u32 = if cfg!(miri) { 200 } else { 3_000 };

    fn word(number: u32) -> Vec<u8> {
        format!("element:{number}:{}", "x".repeat(number as usize % 150)).into_bytes()
    }

    fn list(compress_depth: usize) -> List {
        let limits = ListLimits { compress_depth, ..ListLimits::default() };
        let mut list = List::default();
        (0..ELEMENTS).for_each(|number| list.push(End::Right, &word(number), limits));
        list.push(End::Left, &vec![7; 20_000], limits);
        list
    }

    fn stream() -> Stream {
        let limits = Limits { block_bytes: 4096, block_entries: 100 };
        let mut stream = Stream::default();
        for number in 0..ELEMENTS {
            let id = StreamId::new(u64::from(number / 2), u64::from(number % 2 + 1));
            stream.add(id, &[b"field", &word(number)], limits).expect("ids rise");
        }
        stream
    }

    fn values() -> Vec<Object> {
        let mut set = Set::of_members([], SetLimits::default());
        let mut hash = Hash::default();
        let mut sorted = SortedSet::default();
        for number in 0..ELEMENTS {
            let word = word(number);
            set.add(&word, SetLimits::default());
            let at = (number % 3 == 0).then_some(Millis(number.into()));
            hash.set(&word, b"value", at, HashLimits::default());
            sorted.insert(&word, f64::from(number % 100), SortedSetLimits::default());
        }
        let ints = Set::of_members([&b"1"[..], b"2"], SetLimits::default());
        vec![
            Object::Text(vec![7; 3_000].into()),
            list(0).into_object(),
            list(1).into_object(),
            set.into_object(),
            ints.into_object(),
            hash.into_object(),
            sorted.into_object(),
            Object::Stream(Box::new(stream())),
            Hash::default().into_object(),
        ]
    }

    #[test]
    fn values_whose_parts_move_stay_the_same() {
        for elements in [1, 64, 1_000_000] {
            for mut value in values() {
                let (copy, bytes) = (value.clone(), value.heap_bytes());
                let (mut mover, mut reached, mut steps) = (Mover::of_all(), 0, 0);
                loop {
                    reached = value.relocate(reached, elements, &mut mover);
                    steps += 1;
                    if reached == 0 {
                        break;
                    }
                }
                assert!(mover.moved > 0, "{copy:?}");
                assert_eq!(value, copy);
                assert_eq!(value.heap_bytes(), bytes, "{copy:?}");
                assert!(steps == 1 || elements < 1_000_000, "{steps} steps for {copy:?}");
            }
        }
    }

    #[test]
    fn what_a_walk_has_taken_stays_where_it_is() {
        let mut list = list(0);
        let lent = list.lend().expect("the list is long");
        let mut mover = Mover::of_all();
        list.relocate(0, usize::MAX, &mut mover);
        let while_lent = mover.moved;
        drop(lent);
        list.relocate(0, usize::MAX, &mut mover);
        let nodes = match list.as_ref() {
            crate::ListRef::Large(quick) => quick.node_count() as u64,
            crate::ListRef::Packed(_) => 0,
        };
        assert!(nodes > 1);
        assert_eq!(mover.moved - while_lent, while_lent + nodes);
    }
}
