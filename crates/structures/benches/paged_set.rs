//! Measures large sets: `cargo bench -p structures --bench paged_set [-- MEMBERS]` (default 1,000,000).
//!
//! Members have 19 bytes. Nanoseconds per operation are medians of five passes in random order. The twin
//! is what sets were before: a [`Table`] of entries without values, one for each member.

#[allow(dead_code, reason = "both forms hash as sets do")]
mod timing;

use base::random::Random;
use std::convert::Infallible;
use std::hint::black_box;
use std::io::{Write, stdout};
use structures::{Entry, KeyHash, NewValue, PagedSet, Table};
use timing::{PASSES, measure, shuffle};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const MEMBERS_DEFAULT: usize = 1_000_000;

type Name = [u8; 19];

/// A set by its operations.
trait Form: Default {
    fn add(&mut self, member: &[u8]) -> bool;
    fn has(&self, member: &[u8]) -> bool;
    fn take(&mut self, member: &[u8]) -> bool;
    fn draw(&self, random: &mut Random) -> Option<&[u8]>;
    fn each(&self, visit: impl FnMut(&[u8]));
    fn scan(&self, cursor: u64, visit: impl FnMut(&[u8])) -> u64;
    fn bytes(&self) -> usize;
}

impl Form for PagedSet {
    fn add(&mut self, member: &[u8]) -> bool {
        self.insert(KeyHash::of(member), member, None, &KeyHash, &mut ())
    }
    fn has(&self, member: &[u8]) -> bool {
        self.contains(KeyHash::of(member), member)
    }
    fn take(&mut self, member: &[u8]) -> bool {
        self.remove(KeyHash::of(member), member, &mut ())
    }
    fn draw(&self, random: &mut Random) -> Option<&[u8]> {
        self.random(random).map(|member| member.bytes)
    }
    fn each(&self, mut visit: impl FnMut(&[u8])) {
        self.iter().for_each(|member| visit(member.bytes));
    }
    fn scan(&self, cursor: u64, mut visit: impl FnMut(&[u8])) -> u64 {
        PagedSet::scan(self, cursor, |member| visit(member.bytes))
    }
    fn bytes(&self) -> usize {
        self.heap_bytes()
    }
}

/// The form before.
#[derive(Default)]
struct Entries {
    table: Table<Infallible>,
    bytes: usize,
}

impl Form for Entries {
    fn add(&mut self, member: &[u8]) -> bool {
        let hash = KeyHash::of(member);
        if self.table.find(hash, member).is_some() {
            return false;
        }
        let entry = Entry::new(member, NewValue::Bytes(b""), None);
        self.bytes += entry.allocated_bytes();
        self.table.insert_unique(hash, entry, &KeyHash);
        true
    }
    fn has(&self, member: &[u8]) -> bool {
        self.table.find(KeyHash::of(member), member).is_some()
    }
    fn take(&mut self, member: &[u8]) -> bool {
        let gone = self.table.remove(KeyHash::of(member), member);
        if let Some(entry) = &gone {
            self.bytes -= entry.allocated_bytes();
        }
        gone.is_some()
    }
    fn draw(&self, random: &mut Random) -> Option<&[u8]> {
        self.table.random(random).map(Entry::key)
    }
    fn each(&self, mut visit: impl FnMut(&[u8])) {
        self.table.iter().for_each(|entry| visit(entry.key()));
    }
    fn scan(&self, cursor: u64, mut visit: impl FnMut(&[u8])) -> u64 {
        self.table.scan(cursor, |entry| visit(entry.key()))
    }
    fn bytes(&self) -> usize {
        self.bytes + self.table.memory_bytes()
    }
}

fn names(count: usize, first: usize) -> Vec<Name> {
    let name = |number| format!("member:{number:012}").as_bytes().try_into().expect("19 bytes");
    (first..first + count).map(name).collect()
}

fn fill<F: Form>(members: &[Name]) -> F {
    let mut set = F::default();
    for member in members {
        set.add(member);
    }
    set
}

/// Asks for every member, but the choice of the next depends on what was found: no two searches overlap.
fn chase<F: Form>(members: &[Name], set: &F) {
    let mut index = 0;
    while index < members.len() {
        index += usize::from(black_box(set.has(&members[index])));
    }
}

/// What each operation takes, in tenths of nanoseconds.
fn times<F: Form>(count: usize) -> Vec<(&'static str, u64)> {
    let mut random = Random::from_seed(1);
    let (mut members, absent) = (names(count, 0), names(count, count));
    shuffle(&mut members, &mut random);
    let mut rows = vec![("add to a growing set", measure(count, || fill::<F>(&members)))];
    let set: F = fill(&members);
    shuffle(&mut members, &mut random);
    let all = |members: &[Name]| members.iter().filter(|&member| set.has(member)).count();
    rows.push(("contains, present", measure(count, || all(&members))));
    rows.push(("contains, present, each waiting", measure(count, || chase(&members, &set))));
    rows.push(("contains, absent", measure(count, || all(&absent))));
    let other: F = fill(&names(count, count / 2));
    let common = || {
        let mut common = 0;
        set.each(|member| common += usize::from(other.has(member)));
        common
    };
    rows.push(("intersection, each member", measure(count, common)));
    let each = || {
        let mut sum = 0;
        set.each(|member| sum += member.len());
        sum
    };
    rows.push(("iteration, each member", measure(count, each)));
    let scan = || {
        let (mut cursor, mut sum) = (0, 0);
        loop {
            cursor = set.scan(cursor, |member| sum += member.len());
            if cursor == 0 {
                break sum;
            }
        }
    };
    rows.push(("scan, each member", measure(count, scan)));
    let draw = || (0..count).for_each(|_| _ = black_box(set.draw(&mut random)));
    rows.push(("random member", measure(count, draw)));
    let mut filled: Vec<F> = (0..PASSES).map(|_| fill(&members)).collect();
    shuffle(&mut members, &mut Random::from_seed(2));
    let mut at = 0;
    let remove = || {
        for member in &members {
            filled[at].take(member);
        }
        at += 1;
    };
    rows.push(("remove all, each", measure(count, remove)));
    let mut filled: Vec<F> = (0..PASSES).map(|_| fill(&members)).collect();
    let mut random = Random::from_seed(3);
    let pop = || {
        let mut set = filled.pop().expect("one for each pass");
        for _ in 0..count / 2 {
            let member = set.draw(&mut random).expect("half are left").to_vec();
            set.take(&member);
        }
        set
    };
    rows.push(("pop half, each", measure(count / 2, pop)));
    let mut filled: Vec<F> = (0..PASSES).map(|_| fill(&members)).collect();
    rows.push(("free, each member", measure(count, || drop(filled.pop()))));
    rows
}

fn main() {
    let asked = std::env::args().find_map(|word| word.parse().ok());
    let count = asked.unwrap_or(MEMBERS_DEFAULT);
    let text = |tenths: u64| format!("{}.{}", tenths / 10, tenths % 10);
    writeln!(stdout(), "{count} members of 19 bytes").expect("stdout");
    for ((what, pages), (_, entries)) in
        times::<PagedSet>(count).into_iter().zip(times::<Entries>(count))
    {
        let (pages, entries) = (text(pages), text(entries));
        writeln!(stdout(), "{what:<34} {pages:>8} ns   before {entries:>8} ns").expect("stdout");
    }
    let mut set = PagedSet::default();
    let (mut least, mut most) = (u64::MAX, 0);
    for (number, member) in names(2 * count, 0).iter().enumerate() {
        set.add(member);
        if number >= count && (number + 1) % (count / 64) == 0 {
            let tenths = set.bytes() as u64 * 10 / (number as u64 + 1);
            (least, most) = (least.min(tenths), most.max(tenths));
        }
    }
    let of = |form: usize| text(form as u64 * 10 / count as u64);
    let (pages, entries) = (
        of(fill::<PagedSet>(&names(count, 0)).bytes()),
        of(fill::<Entries>(&names(count, 0)).bytes()),
    );
    writeln!(
        stdout(),
        "bytes each: {pages} (on the way to twice as many: {} to {}), before {entries}",
        text(least),
        text(most)
    )
    .expect("stdout");
}
