//! Both forms against a plain model.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Members by score, as a list that is sorted after each step.
#[derive(Debug, Default)]
struct Model(Vec<(f64, Vec<u8>)>);

impl Model {
    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let at = self.0.iter().position(|(_, other)| other == member)?;
        Some(self.0.remove(at).0)
    }

    fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let before = self.remove(member);
        self.0.push((score, member.to_vec()));
        self.0.sort_by(|(a, one), (b, other)| order(*a, one, *b, other));
        before
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u16, f64),
    Remove(u16),
    RemoveRanks(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let score = prop_oneof![
        (-5..5i32).prop_map(f64::from),
        -1e3..1e3f64,
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(1e300),
        Just(4.7e18),
    ];
    let step = prop_oneof![
        6 => (0..60u16, score).prop_map(|(member, score)| Step::Insert(member, score)),
        2 => (0..60u16).prop_map(Step::Remove),
        1 => (0..20usize, 0..4usize).prop_map(|(start, len)| Step::RemoveRanks(start, start + len)),
    ];
    prop::collection::vec(step, 0..150)
}

fn name(number: u16) -> Vec<u8> {
    // Some members are packed as integers.
    if number.is_multiple_of(2) { number.to_string() } else { format!("m{number}") }.into_bytes()
}

fn check(set: SortedSetRef<'_>, model: &Model) {
    let found: Vec<_> =
        set.iter(0..set.len()).map(|(member, score)| (score, member.to_vec())).collect();
    assert_eq!(found, model.0);
    let mut back: Vec<_> =
        set.iter(0..usize::MAX).rev().map(|(member, score)| (score, member.to_vec())).collect();
    back.reverse();
    assert_eq!(back, model.0);
    let len = model.0.len();
    for ranks in [1..len, 0..len.saturating_sub(1), len / 3..len / 2, len..len + 2] {
        let wanted = model.0.get(ranks.clone()).unwrap_or_default();
        let found: Vec<_> =
            set.iter(ranks).map(|(member, score)| (score, member.to_vec())).collect();
        assert_eq!(found, wanted);
    }
    for (rank, (score, member)) in model.0.iter().enumerate() {
        assert_eq!(set.rank(member), Some((rank, *score)));
        assert_eq!(set.score(member), Some(*score));
        let before =
            set.partition(|other, other_score| order(other_score, other, *score, member).is_lt());
        assert_eq!(before, rank);
    }
    assert_eq!((set.rank(b"absent"), set.score(b"absent")), (None, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn both_forms_are_a_sorted_map(steps in steps(), entries in prop_oneof![Just(0usize), Just(10), Just(1000)]) {
        let limits = SortedSetLimits { entries, value: 64 };
        let (mut set, mut model) = (SortedSet::default(), Model::default());
        for step in steps {
            match step {
                Step::Insert(number, score) => {
                    let member = name(number);
                    prop_assert_eq!(set.insert(&member, score, limits), model.insert(&member, score));
                }
                Step::Remove(number) => {
                    let member = name(number);
                    prop_assert_eq!(set.remove(&member), model.remove(&member));
                }
                Step::RemoveRanks(start, end) => {
                    set.remove_ranks(start..end);
                    let end = end.min(model.0.len());
                    model.0.drain(start.min(end)..end);
                }
            }
            prop_assert!(set.packed().is_none() || model.0.len() <= entries);
        }
        check(set.as_ref(), &model);
        if let Some((form, bytes)) = set.packed() {
            check(SortedSet::view(form, bytes), &model);
            prop_assert_eq!(&SortedSet::unpack(form, bytes), &set);
        }
    }
}

/// From stock: DUMP of the same sorted set, without its wrapping.
#[test]
fn packed_bytes_are_stocks() {
    let mut set = SortedSet::default();
    for (member, score) in [("b", 1.5), ("a", 1.5), ("c", -3.0), ("10", f64::INFINITY), ("d", 0.1)]
    {
        set.insert(member.as_bytes(), score, SortedSetLimits::default());
    }
    let (_, bytes) = set.packed().expect("a small one");
    assert_eq!(bytes, STOCK);
}

const STOCK: &[u8] = b"<\x00\x00\x00\x0a\x00\x81c\x02\xdf\xfd\x02\x81d\x02\x930.10000000000000001\x14\x81a\x02\x831.5\x04\x81b\x02\x831.5\x04\x0a\x01\x83inf\x04\xff";

proptest! {
    #[test]
    fn members_end(steps in prop::collection::vec((0..6u8, 0..99u16, 0..50u64), 0..200)) {
        let limits = SortedSetLimits::default();
        let (mut set, mut model) = (SortedSet::default(), BTreeMap::new());
        let mut scores = Model::default();
        for (step, number, at) in steps {
            let (member, score, at) = (name(number), f64::from(number % 7), Millis(at));
            let is_there = model.contains_key(&member);
            match step {
                0 | 1 => {
                    let score = score + f64::from(step);
                    prop_assert_eq!(set.insert(&member, score, limits), scores.insert(&member, score));
                    model.entry(member).or_insert(None);
                }
                2 => {
                    prop_assert_eq!(set.remove(&member), scores.remove(&member));
                    model.remove(&member);
                }
                3 | 4 => {
                    let at = (step == 3).then_some(at);
                    prop_assert_eq!(set.set_expire_at(&member, at), is_there);
                    if let Some(end) = model.get_mut(&member) {
                        *end = at;
                    }
                }
                _ => {
                    let mut gone = BTreeSet::new();
                    let mut note = |member: &[u8]| _ = gone.insert(member.to_vec());
                    while !set.sweep(at, 2, &mut note) {}
                    let has_ended = |end: &Option<Millis>| end.is_some_and(|end| end <= at);
                    let ended: BTreeSet<Vec<u8>> =
                        model.extract_if(.., |_, end| has_ended(end)).map(|(member, _)| member).collect();
                    prop_assert_eq!(&gone, &ended);
                    scores.0.retain(|(_, member)| !gone.contains(member));
                    // A whole pass makes the bound exact.
                    while !set.sweep(at, 2, |_| ()) {}
                    prop_assert_eq!(set.as_ref().soonest(), model.values().flatten().min().copied());
                }
            }
            let least = model.values().flatten().min().copied();
            prop_assert_eq!(set.as_ref().soonest().is_some(), least.is_some());
            prop_assert!(set.as_ref().soonest() <= least);
            let expiring = |set: &SortedSet| -> BTreeMap<Vec<u8>, Option<Millis>> {
                set.as_ref().expiring().map(|(member, at)| (member.to_vec(), Some(at))).collect()
            };
            let mut expected = model.clone();
            expected.retain(|_, at| at.is_some());
            prop_assert_eq!(&expiring(&set), &expected);
            prop_assert_eq!(&set.clone(), &set);
            prop_assert_eq!(set.clone().as_ref().soonest(), set.as_ref().soonest());
        }
        check(set.as_ref(), &scores);
    }
}
