//! Tables against `std::collections::HashMap`, SCAN's guarantee, the bound on growth steps, and drops.

use super::{ENTRIES_PER_BUCKET_MAX, Table};
use crate::{Entry, Mover, NewValue, ValueRef};
use base::Millis;
use base::random::Random;
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// A hash good enough for tests, the same everywhere.
fn mix(key: &[u8]) -> u64 {
    key.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, &byte| {
        let hash = (hash ^ u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^ (hash >> 29)
    })
}

/// A hash with six values, so that chains get long and tags collide.
fn poor(key: &[u8]) -> u64 {
    let low = mix(key) % 6;
    low | (low % 2) << 63
}

fn number_key(number: u32) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

fn entry(number: u32, value: i64) -> Entry<Rc<()>> {
    Entry::new(&number_key(number), NewValue::Int(value), None)
}

fn number_of(value: &ValueRef<'_, Rc<()>>) -> i64 {
    match value {
        ValueRef::Int(number) => *number,
        other => panic!("expected a number, found {other:?}"),
    }
}

/// A table of `0..count`, each number's value being the number.
fn filled(count: u32) -> Table<Rc<()>> {
    let mut table = Table::new();
    for number in 0..count {
        table.insert_unique(mix(&number_key(number)), entry(number, number.into()), &mix);
    }
    table
}

fn remove(table: &mut Table<Rc<()>>, number: u32) -> Option<Entry<Rc<()>>> {
    let key = number_key(number);
    table.remove(mix(&key), &key)
}

fn amount(full: u32) -> u32 {
    if cfg!(miri) { full / 200 } else { full }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u32),
    Remove(u32),
    Grow(u32),
    Rewrite(u32),
    Replace(u32),
    Drain(u64, u32),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0_u32..400;
    prop_oneof![
        20 => number.clone().prop_map(Step::Insert),
        20 => number.clone().prop_map(Step::Remove),
        4 => number.clone().prop_map(Step::Grow),
        5 => number.clone().prop_map(Step::Rewrite),
        5 => number.clone().prop_map(Step::Replace),
        4 => (any::<u64>(), 1_u32..5).prop_map(|(cursor, modulus)| Step::Drain(cursor, modulus)),
        1 => Just(Step::Clear),
    ]
}

struct Pair {
    table: Table<Rc<()>>,
    twin: HashMap<u32, i64>,
    hash: fn(&[u8]) -> u64,
    next: i64,
}

impl Pair {
    fn insert(&mut self, number: u32) {
        self.next += 1;
        let hash = (self.hash)(&number_key(number));
        let old = self.table.insert(hash, entry(number, self.next), &self.hash);
        assert_eq!(old.map(|old| number_of(&old.value())), self.twin.insert(number, self.next));
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Insert(number) => self.insert(number),
            Step::Grow(number) => (number..number + 40).for_each(|number| self.insert(number)),
            Step::Remove(number) => {
                let key = number_key(number);
                let old = self.table.remove((self.hash)(&key), &key);
                assert_eq!(old.map(|old| number_of(&old.value())), self.twin.remove(&number));
            }
            Step::Rewrite(number) | Step::Replace(number) => self.change(step, number),
            Step::Drain(cursor, modulus) => self.drain(cursor, modulus),
            Step::Clear => {
                self.table.clear();
                self.twin.clear();
                assert_eq!(self.table.memory_bytes(), 0);
            }
        }
    }

    /// Changes an entry in its slot, so that it moves or becomes another.
    fn change(&mut self, step: &Step, number: u32) {
        let key = number_key(number);
        let found = self.table.find_mut((self.hash)(&key), &key);
        assert_eq!(found.is_some(), self.twin.contains_key(&number));
        let Some(found) = found else { return };
        self.next += 1;
        if matches!(step, Step::Replace(_)) {
            *found = entry(number, self.next);
        } else {
            found.set_value(NewValue::Bytes(&[7; 150]));
            found.set_expire_at(Some(base::Millis(1)));
            found.set_value(NewValue::Int(self.next));
        }
        self.twin.insert(number, self.next);
    }

    fn drain(&mut self, cursor: u64, modulus: u32) {
        let mut gone = Vec::new();
        let odd = |number: i64| number % i64::from(modulus) == 0;
        self.table.drain_where(
            cursor,
            |entry| odd(number_of(&entry.value())),
            |entry| gone.push(entry),
        );
        for entry in gone {
            let key = entry.key().strip_prefix(b"key:").expect("our keys have a prefix");
            let number: u32 = String::from_utf8_lossy(key).parse().expect("our keys are numbers");
            assert!(odd(number_of(&entry.value())));
            assert_eq!(self.twin.remove(&number), Some(number_of(&entry.value())));
        }
    }

    fn check(&self) {
        assert_eq!(self.table.len(), self.twin.len());
        assert_eq!(self.table.iter().count(), self.twin.len());
        for (&number, &value) in &self.twin {
            let key = number_key(number);
            let hash = (self.hash)(&key);
            self.table.prefetch_bucket(hash);
            self.table.prefetch_entry(hash);
            let found = self.table.find(hash, &key).expect("the twin has it");
            assert_eq!((found.key(), number_of(&found.value())), (&key[..], value));
        }
        let buckets = self.table.bucket_count();
        assert!(self.table.len() <= buckets * ENTRIES_PER_BUCKET_MAX);
        assert_eq!(self.table.mask, buckets.next_power_of_two() - 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 200 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn behaves_as_a_map(is_poor in any::<bool>(), steps in prop::collection::vec(step(), 0..150)) {
        let hash = if is_poor { poor } else { mix };
        let mut pair = Pair { table: Table::new(), twin: HashMap::new(), hash, next: 0 };
        for step in steps {
            pair.apply(&step);
            assert_eq!(pair.table.len(), pair.twin.len());
        }
        pair.check();
    }

    #[test]
    fn scan_visits_all_that_stays(seed in any::<u64>(), start in 0_u32..600, swing in 1_u64..80) {
        let mut random = Random::from_seed(seed);
        let start = amount(start);
        let mut table = filled(start);
        let stays: BTreeSet<u32> = (0..start).filter(|_| random.one_in(3)).collect();
        let mut others: Vec<u32> = (0..start).filter(|number| !stays.contains(number)).collect();
        let (mut seen, mut cursor, mut fresh) = (BTreeSet::new(), 0, start);
        let mut grows = random.one_in(2);
        let mut calls = 0;
        loop {
            let limit = table.bucket_count().next_power_of_two() as u64;
            cursor = table.scan(cursor, |entry| {
                seen.insert(number_of(&entry.value()));
            });
            prop_assert!(cursor < limit.max(1));
            calls += 1;
            if cursor == 0 {
                break;
            }
            grows ^= random.one_in(4);
            // Growth must end, or a scan could go on for ever.
            for _ in 0..random.below(swing) {
                if grows && fresh < start + 3000 {
                    table.insert(mix(&number_key(fresh)), entry(fresh, fresh.into()), &mix);
                    others.push(fresh);
                    fresh += 1;
                } else if let Some(gone) = others.pop() {
                    prop_assert!(remove(&mut table, gone).is_some());
                }
            }
        }
        prop_assert!(calls <= 4 * 4096);
        for number in stays {
            prop_assert!(seen.contains(&i64::from(number)), "{} was not visited", number);
        }
    }
}

#[test]
fn scan_visits_everything_once_if_nothing_changes() {
    for count in [0, 1, 7, 8, 50, 113, amount(999), amount(20_000)] {
        let mut table = filled(count);
        let (mut seen, mut cursor) = (Vec::new(), 0);
        loop {
            cursor = table.scan_mut(cursor, |entry| seen.push(number_of(&entry.value())));
            if cursor == 0 {
                break;
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..i64::from(count)).collect::<Vec<_>>());
    }
}

#[test]
fn any_cursor_ends() {
    let table = filled(amount(5_000));
    for cursor in [1, 77, 1 << 40, u64::MAX, u64::MAX - 1] {
        let (mut at, mut calls) = (cursor, 0);
        loop {
            at = table.scan(at, |_| ());
            calls += 1;
            if at == 0 {
                break;
            }
        }
        assert!(calls <= table.bucket_count(), "cursor {cursor}");
    }
}

#[test]
fn no_insertion_splits_more_than_one_bucket() {
    let mut table: Table<Rc<()>> = Table::new();
    let mut moved_max = 0;
    for number in 0..amount(100_000) {
        let hashes = Cell::new(0);
        let before = table.bucket_count();
        let hasher = |key: &[u8]| {
            hashes.set(hashes.get() + 1);
            mix(key)
        };
        table.insert(mix(&number_key(number)), entry(number, 1), &hasher);
        assert!(table.bucket_count() - before <= 1);
        moved_max = moved_max.max(hashes.get());
    }
    // A chain that is split has 14 entries on average; the longest of 14,000 stays far below 64.
    assert!(moved_max < 64, "one insertion hashed {moved_max} entries");
}

#[test]
fn no_removal_merges_more_than_one_bucket_and_memory_returns() {
    let count = amount(50_000);
    let mut table = filled(count);
    let full = table.memory_bytes();
    for number in 0..count {
        let before = table.bucket_count();
        assert!(remove(&mut table, number).is_some());
        assert!(before - table.bucket_count() <= 1);
        if number == count / 2 {
            assert!(table.memory_bytes() < full);
        }
    }
    assert_eq!((table.len(), table.bucket_count(), table.overflow_bytes), (0, 1, 0));
    assert!(table.memory_bytes() < 256);
}

#[test]
fn a_table_is_small() {
    assert!(size_of::<Table<Rc<()>>>() <= 64);
    assert_eq!(Table::<Rc<()>>::new().memory_bytes(), 0);
    assert!(filled(7).memory_bytes() <= 72);
}

#[test]
fn memory_per_entry_is_below_eleven_bytes() {
    if cfg!(miri) {
        return;
    }
    for count in [57_344, 70_000, 86_000, 100_000, 114_688] {
        let table = filled(count);
        let tenths = table.memory_bytes() * 10 / table.len();
        assert!(tenths < 110, "{tenths} tenths of a byte at {count}");
    }
}

#[test]
fn every_entry_is_dropped_once() {
    let shared = Rc::new(());
    let mut table: Table<Rc<()>> = Table::new();
    for number in 0..500 {
        let key = number_key(number % 400);
        let boxed = Entry::new(&key, NewValue::Boxed(Rc::clone(&shared)), None);
        drop(table.insert(poor(&key), boxed, &poor));
    }
    assert_eq!(Rc::strong_count(&shared), 401);
    for number in 0..100 {
        let key = number_key(number);
        assert!(table.remove(poor(&key), &key).is_some());
    }
    assert_eq!(Rc::strong_count(&shared), 301);
    drop(table);
    assert_eq!(Rc::strong_count(&shared), 1);
}

#[test]
fn draining_everything_empties_the_table() {
    let count = amount(3_000);
    let mut table = filled(count);
    let (mut cursor, mut gone) = (0, 0);
    loop {
        cursor = table.drain_where(cursor, |_| true, |_| gone += 1);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!((gone, table.len(), table.bucket_count()), (count, 0, 1));
}

#[test]
fn random_entries_are_nearly_uniform() {
    let mut random = Random::from_seed(11);
    let count = if cfg!(miri) { 20 } else { 300 };
    let draws = 1_000;
    for keep in [count, count / 10, 1] {
        let mut table = filled(count);
        for number in keep..count {
            remove(&mut table, number);
        }
        let mut hits: HashMap<i64, u32> = HashMap::new();
        let total = if cfg!(miri) { 50 * keep } else { draws * keep };
        for _ in 0..total {
            let entry = table.random(&mut random).expect("the table is not empty");
            *hits.entry(number_of(&entry.value())).or_default() += 1;
        }
        assert_eq!(hits.len(), keep as usize);
        if !cfg!(miri) {
            // 1,000 expected with a deviation of 32: six deviations either way.
            assert!(hits.values().all(|&hit| hit.abs_diff(draws) < 200), "{keep}: {hits:?}");
        }
    }
    assert!(Table::<Rc<()>>::new().random(&mut random).is_none());
}

#[test]
fn a_table_whose_parts_move_stays_the_same() {
    for (hasher, count) in [(mix as fn(&[u8]) -> u64, amount(20_000)), (poor, amount(2_000) % 90)] {
        let alive = Rc::new(());
        let mut table = Table::new();
        for number in 0..count {
            let value = match number % 3 {
                0 => NewValue::Int(number.into()),
                1 => NewValue::Bytes(b"bytes"),
                _ => NewValue::Boxed(Rc::clone(&alive)),
            };
            let at = (number % 5 == 0).then_some(Millis(number.into()));
            let entry = Entry::new(&number_key(number), value, at);
            entry.set_epoch(number);
            table.insert_unique(hasher(&number_key(number)), entry, &hasher);
        }
        let places = |table: &Table<Rc<()>>| -> BTreeSet<usize> {
            table.iter().map(|entry| entry.key().as_ptr().addr()).collect()
        };
        let before = places(&table);
        let (mut cursor, mut mover) = (0, Mover::of_all());
        // What was freed is taken again: only so many entries are surely elsewhere, while all are kept.
        let mut kept = Vec::new();
        loop {
            cursor = table.relocate_some(cursor, &mut mover, |entry, mover| {
                kept.push(vec![0_u8; entry.allocated_bytes()]);
                entry.relocate(mover, |_| {});
            });
            if cursor == 0 {
                break;
            }
        }
        assert!(mover.moved >= u64::from(count));
        assert!(places(&table) != before || count == 0);
        assert_eq!(table.len(), count as usize);
        for number in 0..count {
            let key = number_key(number);
            let entry = table.find(hasher(&key), &key).expect("it is there");
            match number % 3 {
                0 => assert_eq!(entry.value(), ValueRef::Int(number.into())),
                1 => assert_eq!(entry.value(), ValueRef::Bytes(b"bytes")),
                _ => assert_eq!(entry.value(), ValueRef::Boxed(&alive)),
            }
            assert_eq!(entry.expire_at(), (number % 5 == 0).then_some(Millis(number.into())));
            assert_eq!(entry.epoch(), number);
        }
        for number in (0..count).step_by(2) {
            let key = number_key(number);
            assert!(table.remove(hasher(&key), &key).is_some());
        }
        drop(table);
        assert_eq!(Rc::strong_count(&alive), 1);
    }
}
