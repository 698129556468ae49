//! What the types with elements have in common: SSCAN, HSCAN and ZSCAN, and choosing some elements by
//! chance.

use crate::generic::scan::cursor_of;
use base::glob;
use base::random::Random;
use engine::{Args, CommandError, Context};
use resp::reply::Writer;
use std::collections::HashSet;

/// Elements that a call of SCAN's kin looks at if it does not say how many.
const COUNT_DEFAULT: u64 = 10;
/// Steps of a call for each element it was asked for, before it gives up finding more.
const STEPS_PER_ELEMENT: u64 = 10;
/// With so many asked for, in parts of all, they are chosen out of a list of all.
const LISTED_PART: usize = 3;

/// What SSCAN and its kin are told.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    pattern: Option<&'a [u8]>,
    count: u64,
    /// Names without values or scores (HSCAN, ZSCAN).
    pub(crate) only_names: bool,
}

impl<'a> Scan<'a> {
    /// The words behind the cursor; `only_names` is the one that asks for names without values.
    ///
    /// # Errors
    /// `Syntax`, or `NotInteger` for COUNT.
    pub(crate) fn parse(
        args: &mut Args<'a>,
        only_names: Option<&str>,
    ) -> Result<Scan<'a>, CommandError> {
        let mut scan = Scan { pattern: None, count: COUNT_DEFAULT, only_names: false };
        while args.left() > 0 {
            if args.take_token("MATCH") {
                scan.pattern = Some(args.bytes()?).filter(|&pattern| pattern != b"*");
            } else if args.take_token("COUNT") {
                let count = u64::try_from(args.integer()?).ok().filter(|&count| count > 0);
                scan.count = count.ok_or(CommandError::Syntax)?;
            } else if only_names.is_some_and(|token| args.take_token(token)) {
                scan.only_names = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(scan)
    }

    /// Whether an element of this name is answered.
    pub(crate) fn wants(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name, false))
    }

    /// Goes on from `cursor` with `step`, which writes elements, gives how many it looked at and wrote,
    /// and the next cursor; then replies.
    pub(crate) fn run(
        &self,
        reply: &mut Writer<'_>,
        mut cursor: u64,
        mut step: impl FnMut(u64, &mut Writer<'_>) -> (u64, usize, u64),
    ) {
        let (mut found, mut written, mut looked) = (Vec::new(), 0, 0);
        let mut out = Writer::new(&mut found, reply.protocol());
        let mut steps = self.count.saturating_mul(STEPS_PER_ELEMENT);
        loop {
            let (seen, added, next) = step(cursor, &mut out);
            (looked, written, cursor) = (looked + seen, written + added, next);
            steps -= 1;
            if cursor == 0 || looked >= self.count || steps == 0 {
                break;
            }
        }
        reply.array(2);
        reply.bulk(itoa::Buffer::new().format(cursor));
        reply.array(written);
        reply.raw(&found);
    }
}

/// The cursor of SSCAN and its kin. `None` if there is no such key: that was answered.
///
/// # Errors
/// An invalid cursor.
pub(crate) fn cursor(args: &mut Args<'_>) -> Result<u64, CommandError> {
    cursor_of(args.bytes()?)
}

/// The reply of SSCAN and its kin for a key that is not there.
pub(crate) fn nothing_scanned(cx: &mut Context<'_>) {
    cx.reply.array(2);
    cx.reply.bulk("0");
    cx.reply.array(0);
}

/// How many are asked for: so many different ones, or so many with repetition (a count below zero).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Each at most once.
    Different(usize),
    /// Any may come again.
    Repeated(u64),
}

impl Wanted {
    /// Of a command's count, which with values may not be lower than half of the least.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub(crate) fn of(count: i64, with_values: bool) -> Result<Wanted, CommandError> {
        let least = if with_values { -(i64::MAX / 2) } else { -i64::MAX };
        let most = if with_values { i64::MAX / 2 } else { i64::MAX };
        if count < least || count > most {
            return Err(CommandError::OutOfRange);
        }
        Ok(match usize::try_from(count) {
            Ok(count) => Wanted::Different(count),
            Err(_) => Wanted::Repeated(count.unsigned_abs()),
        })
    }
}

/// `count` different elements of `len`, in no order: `all` lists them, `one` draws. O(count), or O(len)
/// if many are asked for.
pub(crate) fn different<T: Copy, K: std::hash::Hash + Eq>(
    count: usize,
    len: usize,
    random: &mut Random,
    all: impl FnOnce() -> Vec<T>,
    mut one: impl FnMut(&mut Random) -> Option<T>,
    key: impl Fn(T) -> K,
) -> Vec<T> {
    if count.saturating_mul(LISTED_PART) >= len {
        let mut items = all();
        if count >= items.len() {
            return items;
        }
        for at in 0..count {
            let left = (items.len() - at) as u64;
            let chosen = at + usize::try_from(random.below(left)).unwrap_or(0);
            items.swap(at, chosen);
        }
        items.truncate(count);
        return items;
    }
    let (mut seen, mut items) = (HashSet::new(), Vec::with_capacity(count));
    while items.len() < count {
        let Some(item) = one(random) else { break };
        if seen.insert(key(item)) {
            items.push(item);
        }
    }
    items
}
