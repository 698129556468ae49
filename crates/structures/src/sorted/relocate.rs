//! Moving what a sorted set owns to other allocations, step by step: first the table, then the tree.

use super::tree::{Item, Member};
use super::{Sorted, score_of};
use crate::Mover;

impl Sorted {
    /// Moves what one bucket of the table owns where `mover` wants it, entries too. O(log n) for each
    /// entry that is moved. Gives how many members that were, and the next cursor; cursors are those of
    /// [`Sorted::scan`].
    pub fn relocate_members(&mut self, cursor: u64, mover: &mut Mover) -> (usize, u64) {
        let Sorted { table, tree, .. } = self;
        let mut members = 0;
        let next = table.relocate_some(cursor, mover, |entry, mover| {
            members += 1;
            entry.relocate(mover, |moved| {
                tree.repoint(Item { score: score_of(moved), member: Member::of(moved) });
            });
        });
        (members, next)
    }

    /// Moves the tree's nodes around the member of that rank where `mover` wants them. O(log n). Gives
    /// the first rank behind that leaf; zero at the end.
    pub fn relocate_nodes(&mut self, rank: usize, mover: &mut Mover) -> usize {
        self.tree.relocate(rank, mover).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hash;
    use super::*;

    #[test]
    fn a_sorted_set_whose_parts_move_stays_the_same() {
        let count: u32 = if cfg!(miri) { 300 } else { 20_000 };
        let mut sorted = Sorted::new(hash);
        for number in 0..count {
            sorted.insert(format!("member-{number}").as_bytes(), f64::from(number * 7 % 501));
        }
        let copy = sorted.clone();
        let mut mover = Mover::of_all();
        let (mut cursor, mut rank, mut seen) = (0, 0, 0);
        loop {
            let members;
            (members, cursor) = sorted.relocate_members(cursor, &mut mover);
            seen += members;
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen, sorted.len());
        loop {
            let next = sorted.relocate_nodes(rank, &mut mover);
            if next == 0 {
                break;
            }
            assert!(next > rank);
            rank = next;
        }
        // Entries, chunks and their directory, and leaves of at most 64 items.
        assert!(mover.moved >= u64::from(count + count / 64));
        assert!(sorted.iter(0..sorted.len()).eq(copy.iter(0..copy.len())));
        for number in 0..count {
            let member = format!("member-{number}").into_bytes();
            assert_eq!(sorted.rank(&member), copy.rank(&member));
        }
        for number in (0..count).step_by(2) {
            let member = format!("member-{number}").into_bytes();
            assert_eq!(sorted.remove(&member), copy.score(&member));
        }
        assert!(
            sorted
                .iter(0..sorted.len())
                .is_sorted_by_key(|(member, score)| { (score.to_bits(), member.to_vec()) })
        );
    }
}
