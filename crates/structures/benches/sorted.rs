//! Measures sorted members: `cargo bench -p structures --bench sorted [-- MEMBERS]` (default 1,000,000).
//!
//! Members have 19 bytes; scores are integers drawn with a fixed seed, each for two members or so.
//! Nanoseconds per operation are medians of five passes in random order. The safe twin keeps each
//! member's bytes once, behind a count: `HashMap<Arc<[u8]>, f64>` with the same hash, and
//! `BTreeSet<(score, Arc<[u8]>)>`. It has no answer to ranks but to count, so these are measured alone.

mod timing;

use base::random::Random;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::io::{Write, stdout};
use std::ops::Range;
use std::sync::Arc;
use structures::Sorted;
use timing::{Fold, PASSES, hash, measure, shuffle};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const MEMBERS_DEFAULT: usize = 1_000_000;
/// Members of a range that is read.
const RANGE: usize = 10;
/// Entries that are read in one step.
const STEP: usize = 256;

#[derive(Clone, Copy, PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Score) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Score) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// The same out of the standard library.
#[derive(Default)]
struct Twin {
    scores: HashMap<Arc<[u8]>, f64, BuildHasherDefault<Fold>>,
    order: BTreeSet<(Score, Arc<[u8]>)>,
}

impl Twin {
    fn insert(&mut self, member: &[u8], score: f64) {
        let (name, old) = match self.scores.get_key_value(member) {
            Some((name, old)) => (Arc::clone(name), Some(*old)),
            None => (Arc::from(member), None),
        };
        if let Some(old) = old {
            self.order.remove(&(Score(old), Arc::clone(&name)));
        }
        self.order.insert((Score(score), Arc::clone(&name)));
        self.scores.insert(name, score);
    }

    fn remove(&mut self, member: &[u8]) {
        if let Some((name, score)) = self.scores.remove_entry(member) {
            self.order.remove(&(Score(score), name));
        }
    }
}

type Member = ([u8; 19], f64);

fn members(count: usize, random: &mut Random) -> Vec<Member> {
    let mut members: Vec<Member> = (0..count)
        .map(|number| {
            let text = format!("member:{number:012}");
            (text.as_bytes().try_into().expect("19 bytes"), score(count, random))
        })
        .collect();
    shuffle(&mut members, random);
    members
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn score(count: usize, random: &mut Random) -> f64 {
    random.below(count as u64 / 2 + 1) as f64
}

fn show(what: &str, ours: u64, twin: Option<u64>) {
    let text = |tenths: u64| format!("{}.{}", tenths / 10, tenths % 10);
    let twin = twin.map_or_else(String::new, |tenths| format!("  twin {:>8} ns", text(tenths)));
    writeln!(stdout(), "{what:<36} {:>8} ns{twin}", text(ours)).expect("stdout");
}

fn fill(members: &[Member]) -> (Sorted, Twin) {
    let (mut ours, mut twin) = (Sorted::new(hash), Twin::default());
    for (member, score) in members {
        ours.insert(member, *score);
        twin.insert(member, *score);
    }
    (ours, twin)
}

/// The ranks of the members, [`STEP`] at a time.
fn steps(sorted: &Sorted) -> impl Iterator<Item = Range<usize>> {
    let len = sorted.len();
    (0..len).step_by(STEP).map(move |from| from..(from + STEP).min(len))
}

fn reads(members: &[Member], ours: &Sorted, twin: &Twin) {
    let count = members.len();
    let find = |get: &dyn Fn(&[u8]) -> Option<f64>| {
        measure(count, || members.iter().filter(|(member, _)| get(member).is_some()).count())
    };
    show(
        "score of a member",
        find(&|member| ours.score(member)),
        Some(find(&|member| twin.scores.get(member).copied())),
    );
    let range = measure(count, || {
        members.iter().fold(0, |sum, (_, score)| {
            let from = ours.partition(|_, other| other < *score);
            let to = (from + RANGE).min(ours.len());
            sum + ours.iter(from..to).map(|(member, _)| member.len()).sum::<usize>()
        })
    });
    let empty: Arc<[u8]> = Arc::from(&b""[..]);
    let twin_range = measure(count, || {
        members.iter().fold(0, |sum, (_, score)| {
            let found = twin.order.range((Score(*score), Arc::clone(&empty))..).take(RANGE);
            sum + found.map(|(_, member)| member.len()).sum::<usize>()
        })
    });
    show("ten members from a score on", range, Some(twin_range));
    let all = measure(count, || ours.iter(0..count).fold(0, |sum, (member, _)| sum + member.len()));
    let twin_all =
        measure(count, || twin.order.iter().fold(0, |sum, (_, member)| sum + member.len()));
    show("all members in order, each", all, Some(twin_all));
    // In steps, as snapshots take them; the twin looks each entry up, which needs no `unsafe`.
    let entries = measure(count, || {
        steps(ours).fold(0, |sum, ranks| {
            ours.prefetch(ranks.clone());
            sum + ours.entries(ranks).map(|entry| entry.key().len()).sum::<usize>()
        })
    });
    let looked_up = measure(count, || {
        steps(ours).fold(0, |sum, ranks| {
            ours.prefetch(ranks.clone());
            let entries = ours.iter(ranks).filter_map(|(member, _)| ours.entry(member));
            sum + entries.map(|entry| entry.key().len()).sum::<usize>()
        })
    });
    show("entries in order, each", entries, Some(looked_up));
    let rank = measure(count, || {
        members.iter().fold(0, |sum, (member, _)| sum + ours.rank(member).unwrap_or(0))
    });
    show("rank of a member", rank, None);
    let mut random = Random::from_seed(2);
    let at = measure(count, || {
        (0..count).fold(0, |sum, _| {
            let rank = usize::try_from(random.below(count as u64)).unwrap_or(0);
            sum + ours.at(rank).map_or(0, |(member, _)| member.len())
        })
    });
    show("member at a rank", at, None);
}

fn main() {
    let asked = std::env::args().find_map(|word| word.parse().ok());
    let count = asked.unwrap_or(MEMBERS_DEFAULT);
    let mut random = Random::from_seed(1);
    let members = members(count, &mut random);
    let changed: Vec<Member> =
        members.iter().map(|(member, _)| (*member, score(count, &mut random))).collect();
    writeln!(stdout(), "{count} members").expect("stdout");
    let insert = measure(count, || {
        let mut ours = Sorted::new(hash);
        for (member, score) in &members {
            let _old = ours.insert(member, *score);
        }
        ours
    });
    let twin_insert = measure(count, || {
        let mut twin = Twin::default();
        for (member, score) in &members {
            twin.insert(member, *score);
        }
        twin
    });
    show("insert", insert, Some(twin_insert));
    let (mut ours, mut twin) = fill(&members);
    reads(&members, &ours, &twin);
    // There and back, so that every pass changes every score.
    let mut pass = 0;
    let mut next = || {
        pass += 1;
        if pass % 2 == 1 { &changed } else { &members }
    };
    let change = measure(count, || {
        for (member, score) in next() {
            let _old = ours.insert(member, *score);
        }
    });
    let twin_change = measure(count, || {
        for (member, score) in next() {
            twin.insert(member, *score);
        }
    });
    show("change of a score", change, Some(twin_change));
    let mut filled: Vec<(Sorted, Twin)> = (0..PASSES).map(|_| fill(&members)).collect();
    let mut at = 0;
    let remove = measure(count, || {
        for (member, _) in &members {
            let _old = filled[at].0.remove(member);
        }
        at += 1;
    });
    at = 0;
    let twin_remove = measure(count, || {
        for (member, _) in &members {
            filled[at].1.remove(member);
        }
        at += 1;
    });
    show("remove", remove, Some(twin_remove));
}
