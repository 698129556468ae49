//! Paged sets against `std::collections::BTreeMap`, SCAN's guarantee, the bound on growth steps, memory.

use super::{CHUNK_PAGES, MEMBERS_PER_PAGE_MAX, Member, PageIter, PageWatch, PagedSet};
use crate::{Mover, size_class};
use base::Millis;
use base::random::Random;
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// A hash good enough for tests, the same everywhere.
fn mix(key: &[u8]) -> u64 {
    key.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, &byte| {
        let hash = (hash ^ u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^ (hash >> 29)
    })
}

/// A hash with six values, so that pages get long and tags collide.
fn poor(key: &[u8]) -> u64 {
    let low = mix(key) % 6;
    low | (low % 2) << 63
}

/// Members of every kind: empty, short, at the limits of records, far.
fn member(number: u32) -> Vec<u8> {
    let len = match number % 16 {
        0 => 118,
        1 => 119,
        2 => 120,
        3 => 127,
        4 => 128,
        5 => 300,
        _ => 8,
    };
    if number == 0 {
        return Vec::new();
    }
    format!("{number:0len$}").into_bytes()
}

fn amount(full: u32) -> u32 {
    if cfg!(miri) { full / 200 } else { full }
}

fn filled(count: u32) -> PagedSet {
    let mut set = PagedSet::default();
    for number in 0..count {
        assert!(set.insert(mix(&member(number)), &member(number), None, &mix, &mut ()));
    }
    set
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u32, Option<u64>),
    Remove(u32),
    Grow(u32),
    Shrink(u32),
    Expire(u32, Option<u64>),
    Drain(u64),
    Clone,
    Move,
    Scan,
    Walk,
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0_u32..400;
    let at = prop::option::of(0_u64..100);
    prop_oneof![
        10 => (number.clone(), at.clone()).prop_map(|(number, at)| Step::Insert(number, at)),
        10 => number.clone().prop_map(Step::Remove),
        3 => number.clone().prop_map(Step::Grow),
        3 => number.clone().prop_map(Step::Shrink),
        8 => (number, at).prop_map(|(number, at)| Step::Expire(number, at)),
        3 => (0_u64..100).prop_map(Step::Drain),
        1 => Just(Step::Clone),
        2 => Just(Step::Move),
        6 => Just(Step::Scan),
        6 => Just(Step::Walk),
    ]
}

type Model = BTreeMap<Vec<u8>, Option<Millis>>;

/// Saves the set as it was when it began, page by page, while the set is changed.
#[derive(Default)]
struct Walk {
    cut: u32,
    expected: Model,
    saved: Model,
    cursor: u64,
}

impl PageWatch for Walk {
    fn before(&mut self, epoch: u32, members: PageIter<'_>) -> u32 {
        if epoch < self.cut {
            for member in members {
                let again = self.saved.insert(member.bytes.to_vec(), member.expire_at);
                assert!(again.is_none(), "a member is saved twice");
            }
        }
        self.cut.max(epoch)
    }
}

/// A set, its model, a scan under way, and a walk.
struct Pair {
    set: PagedSet,
    model: Model,
    walk: Walk,
    hash: fn(&[u8]) -> u64,
    cursor: u64,
    /// What the scan must still visit, or has visited.
    stayed: BTreeSet<Vec<u8>>,
    seen: BTreeSet<Vec<u8>>,
}

impl Pair {
    fn new(hash: fn(&[u8]) -> u64) -> Pair {
        let (set, model, walk) = Default::default();
        Pair { set, model, walk, hash, cursor: 0, stayed: BTreeSet::new(), seen: BTreeSet::new() }
    }

    fn insert(&mut self, number: u32, at: Option<u64>) {
        let (member, at) = (member(number), at.map(Millis));
        let is_new = !self.model.contains_key(&member);
        assert_eq!(
            self.set.insert((self.hash)(&member), &member, at, &self.hash, &mut self.walk),
            is_new
        );
        if is_new {
            self.model.insert(member, at);
        }
    }

    fn remove(&mut self, number: u32) {
        let member = member(number);
        let was_there = self.model.remove(&member).is_some();
        assert_eq!(self.set.remove((self.hash)(&member), &member, &mut self.walk), was_there);
        self.stayed.remove(&member);
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Insert(number, at) => self.insert(number, at),
            Step::Remove(number) => self.remove(number),
            Step::Grow(from) => (from..from + 60).for_each(|number| self.insert(number, None)),
            Step::Shrink(from) => (from..from + 60).for_each(|number| self.remove(number)),
            Step::Expire(number, at) => {
                let (member, at) = (member(number), at.map(Millis));
                let held = self.model.get_mut(&member).map(|held| *held = at).is_some();
                assert_eq!(
                    self.set.set_expire_at((self.hash)(&member), &member, at, &mut self.walk),
                    held
                );
            }
            Step::Drain(now) => self.drain(Millis(now)),
            Step::Clone => self.set = self.set.clone(),
            Step::Move => self.relocate(),
            Step::Scan => self.scan(),
            Step::Walk => self.step_walk(),
        }
    }

    /// Moves every page, which changes nothing.
    fn relocate(&mut self) {
        let (mut seen, mut cursor, mut mover) = (0, 0, Mover::of_all());
        loop {
            let members;
            (members, cursor) = self.set.relocate_some(cursor, &mut mover);
            seen += members;
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen, self.set.len());
    }

    /// Takes out all that has ended.
    fn drain(&mut self, now: Millis) {
        let ended = |at: Option<Millis>| at.is_some_and(|at| at <= now);
        let mut cursor = 0;
        loop {
            cursor = self.set.drain_where(
                cursor,
                |member| ended(member.expire_at),
                |member| {
                    assert!(ended(member.expire_at));
                    assert_eq!(self.model.remove(member.bytes), Some(member.expire_at));
                    self.stayed.remove(member.bytes);
                },
                &mut self.walk,
            );
            if cursor == 0 {
                break;
            }
        }
        assert!(!self.model.values().any(|&at| ended(at)));
    }

    /// One call of a scan; after the last, all that stayed since the first has been seen.
    fn scan(&mut self) {
        if self.cursor == 0 {
            self.stayed = self.model.keys().cloned().collect();
            self.seen.clear();
        }
        self.cursor = self.set.scan(self.cursor, |member| {
            self.seen.insert(member.bytes.to_vec());
        });
        assert!(self.cursor < self.set.page_count().next_power_of_two() as u64);
        if self.cursor == 0 {
            assert!(self.stayed.is_subset(&self.seen));
        }
    }

    /// One call of a walk; after the last, exactly what was there at the first has been saved.
    fn step_walk(&mut self) {
        if self.walk.cursor == 0 {
            let (cut, expected) = (self.walk.cut + 1, self.model.clone());
            self.walk = Walk { cut, expected, ..Walk::default() };
        }
        let Pair { set, walk, .. } = self;
        walk.cursor = set.scan_page(walk.cursor, |epoch, members| walk.before(epoch, members));
        if walk.cursor == 0 {
            assert_eq!(walk.saved, walk.expected);
        }
    }

    fn check(&self) {
        let set = &self.set;
        assert_eq!((set.len(), set.is_empty()), (self.model.len(), self.model.is_empty()));
        assert_eq!(set.expiring(), self.model.values().flatten().count());
        let held: Vec<_> = set.iter().map(|one| (one.bytes.to_vec(), one.expire_at)).collect();
        assert_eq!(held.len(), set.len());
        assert_eq!(set.iter().len(), set.len());
        assert_eq!(held.into_iter().collect::<BTreeMap<_, _>>(), self.model);
        for (member, &expire_at) in &self.model {
            let found = set.get((self.hash)(member), member);
            assert_eq!(found, Some(Member { bytes: member, expire_at }));
        }
        assert!(set.len() <= set.pages * MEMBERS_PER_PAGE_MAX);
        let pages = set.chunks.iter().flatten();
        assert_eq!(set.page_bytes, pages.map(super::Page::allocated_bytes).sum::<usize>());
        let chunks = set.chunks.iter().map(Vec::capacity);
        let chunks = chunks.map(|pages| size_class(pages * size_of::<super::Page>()));
        let directory = set.chunks.capacity() * size_of::<Vec<super::Page>>();
        let total = chunks.sum::<usize>() + set.page_bytes + size_class(directory);
        assert_eq!(set.heap_bytes(), if directory == 0 { 0 } else { total });
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 200 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn behaves_as_a_set(is_poor in any::<bool>(), steps in prop::collection::vec(step(), 0..150)) {
        let mut pair = Pair::new(if is_poor { poor } else { mix });
        for step in steps {
            pair.apply(&step);
            prop_assert_eq!(pair.set.len(), pair.model.len());
        }
        pair.check();
        while pair.cursor != 0 {
            pair.scan();
        }
        while pair.walk.cursor != 0 {
            pair.step_walk();
        }
    }
}

#[test]
fn scan_visits_everything_once_if_nothing_changes() {
    for count in [0, 1, 16, 17, 50, 113, amount(999), amount(20_000)] {
        let set = filled(count);
        let (mut seen, mut cursor) = (Vec::new(), 0);
        loop {
            cursor = set.scan(cursor, |member| seen.push(member.bytes.to_vec()));
            if cursor == 0 {
                break;
            }
        }
        seen.sort_unstable();
        let mut all: Vec<_> = (0..count).map(member).collect();
        all.sort_unstable();
        assert!(seen == all);
    }
}

#[test]
fn any_cursor_ends() {
    let set = filled(amount(5_000));
    for cursor in [1, 77, 1 << 40, u64::MAX, u64::MAX - 1] {
        let (mut at, mut calls) = (cursor, 0);
        loop {
            at = set.scan(at, |_| ());
            calls += 1;
            if at == 0 {
                break;
            }
        }
        assert!(calls <= set.page_count(), "cursor {cursor}");
    }
}

#[test]
fn no_insertion_splits_more_than_one_page() {
    let mut set = PagedSet::default();
    let mut moved_max = 0;
    for number in 0..amount(100_000) {
        let hashes = Cell::new(0);
        let before = set.page_count();
        let hasher = |key: &[u8]| {
            hashes.set(hashes.get() + 1);
            mix(key)
        };
        set.insert(mix(&member(number)), &member(number), None, &hasher, &mut ());
        assert!(set.page_count() - before <= 1);
        moved_max = moved_max.max(hashes.get());
    }
    // A page that is split has 20 members on average, with a deviation of less than five.
    assert!(moved_max < 60, "one insertion hashed {moved_max} members");
}

#[test]
fn no_removal_merges_more_than_one_page_and_memory_returns() {
    let count = amount(50_000);
    let mut set = filled(count);
    let full = set.heap_bytes();
    for number in 0..count {
        let before = set.page_count();
        assert!(set.remove(mix(&member(number)), &member(number), &mut ()));
        assert!(before - set.page_count() <= 1);
        if number == count / 2 {
            assert!(set.heap_bytes() < full);
        }
    }
    assert_eq!((set.len(), set.page_count(), set.page_bytes), (0, 1, 0));
    assert!(set.heap_bytes() <= 128, "{}", set.heap_bytes());
}

#[test]
fn a_member_costs_little() {
    assert_eq!(PagedSet::default().heap_bytes(), 0);
    assert!(filled(1).heap_bytes() <= 80);
    if cfg!(miri) {
        return;
    }
    for count in [80_000_u32, 100_000, 125_000, 160_000] {
        let mut set = PagedSet::default();
        for number in 0..count {
            let member = format!("member:{number:012}").into_bytes();
            set.insert(mix(&member), &member, None, &mix, &mut ());
        }
        assert!(set.page_count() > CHUNK_PAGES);
        let tenths = set.heap_bytes() * 10 / set.len();
        assert!(tenths < 280, "{tenths} tenths of a byte at {count}");
    }
}

#[test]
fn long_members_stand_alone() {
    let mut set = PagedSet::default();
    let long = vec![b'x'; 3 << 20];
    let hash = mix(&long);
    for number in 0..40_u8 {
        set.insert(mix(&[number]), &[number], None, &mix, &mut ());
    }
    set.insert(hash, &long, None, &mix, &mut ());
    assert!(set.contains(hash, &long) && set.contains(mix(&[7]), &[7]));
    assert!(set.heap_bytes() > 3 << 20 && set.heap_bytes() < 4 << 20);
    for at in [Some(Millis(5)), None] {
        assert!(set.set_expire_at(hash, &long, at, &mut ()));
        assert_eq!(set.get(hash, &long).map(|member| member.expire_at), Some(at));
    }
    assert!(set.remove(hash, &long, &mut ()));
    assert!(set.heap_bytes() < 4096);
}

#[test]
fn random_members_are_nearly_uniform() {
    let mut random = Random::from_seed(11);
    let count = if cfg!(miri) { 20 } else { 300 };
    let draws = 1_000;
    for keep in [count, count * 3 / 4, count / 10, 1] {
        let mut set = filled(count);
        for number in keep..count {
            set.remove(mix(&member(number)), &member(number), &mut ());
        }
        let mut hits: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        let total = if cfg!(miri) { 50 * keep } else { draws * keep };
        for _ in 0..total {
            let member = set.random(&mut random).expect("the set is not empty");
            *hits.entry(member.bytes.to_vec()).or_default() += 1;
        }
        assert_eq!(hits.len(), keep as usize);
        if !cfg!(miri) {
            // 1,000 expected with a deviation of 32: six deviations either way.
            assert!(hits.values().all(|&hit| hit.abs_diff(draws) < 200), "{keep}: {hits:?}");
        }
    }
    assert!(PagedSet::default().random(&mut random).is_none());
}
