//! Sorted sets: members, each once, in the order of (score, member).
//!
//! Small sorted sets are packed: a listpack of members and scores by turns, in order, as stock has it.
//! What outgrows the limits becomes a table with a counted tree ([`structures::Sorted`]) and stays one. Scores are
//! never NaN. A score that is whole is packed as an integer, any other as C's `%.17g`. Members that expire
//! (`KeyDB`) stand in a table; one that has ended is a member until it is swept out.

mod iter;
mod large;

pub use iter::Scored;
pub use large::LargeSortedSet;

use crate::collection::in_object;
use crate::fragment::Fragmented;
use crate::{Collection, Kind, Object, foreign};
use base::Millis;
use std::cmp::Ordering;
use std::ops::Range;
use structures::Mover;
use structures::listpack::{Item, Listpack, ListpackBuf};

/// Bytes of a listpack above which nothing is added to it.
const LISTPACK_BYTES_MAX: usize = 1 << 30;
/// Scores below this, and above its negative, are packed as integers if they are whole: 2^62.
const INTEGER_SCORE_LIMIT: f64 = 4_611_686_018_427_387_904.0;

/// How large packed sorted sets may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortedSetLimits {
    /// Members.
    pub entries: usize,
    /// Bytes of a member.
    pub value: usize,
}

impl Default for SortedSetLimits {
    /// The settings' defaults.
    fn default() -> SortedSetLimits {
        SortedSetLimits { entries: 128, value: 64 }
    }
}

/// A sorted set.
#[derive(Clone, Debug)]
pub struct SortedSet(Form);

#[derive(Clone, Debug)]
enum Form {
    Packed(ListpackBuf),
    Large(Box<LargeSortedSet>),
}

/// A view of a sorted set.
#[derive(Clone, Copy, Debug)]
pub enum SortedSetRef<'a> {
    /// Packed members and scores.
    Packed(Listpack<'a>),
    /// A table and a tree.
    Large(&'a LargeSortedSet),
}

impl Default for SortedSet {
    fn default() -> SortedSet {
        SortedSet(Form::Packed(ListpackBuf::new()))
    }
}

impl PartialEq for SortedSet {
    fn eq(&self, other: &SortedSet) -> bool {
        let (one, other) = (self.as_ref(), other.as_ref());
        one.len() == other.len()
            && one.iter(0..one.len()).eq(other.iter(0..other.len()))
            && one.expiring().eq(other.expiring())
    }
}

impl Eq for SortedSet {}

/// The integer that a score is, if it is packed as one.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "whether it is whole is what is asked"
)]
fn whole(score: f64) -> Option<i64> {
    let integer = score as i64;
    (score.abs() < INTEGER_SCORE_LIMIT && integer as f64 == score).then_some(integer)
}

/// The score of a packed element.
#[allow(clippy::cast_precision_loss, reason = "what was packed as an integer was a double before")]
fn packed_score(item: Item<'_>) -> f64 {
    match item {
        Item::Int(whole) => whole as f64,
        Item::Bytes(text) => {
            std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0)
        }
    }
}

/// The order of two members by their scores, then by their bytes.
fn order(score: f64, member: &[u8], other_score: f64, other: &[u8]) -> Ordering {
    score.partial_cmp(&other_score).unwrap_or(Ordering::Equal).then_with(|| member.cmp(other))
}

/// Whether members and scores of a foreign pack are in order and the scores are numbers.
fn is_ordered(pack: Listpack<'_>) -> bool {
    let (mut elements, mut digits) = (pack.iter(), itoa::Buffer::new());
    let mut before: Option<(f64, Item<'_>)> = None;
    while let Some(member) = elements.next() {
        let score = match elements.next() {
            Some(number @ Item::Int(_)) => packed_score(number),
            Some(Item::Bytes(text)) => {
                let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                parsed.unwrap_or(f64::NAN)
            }
            None => f64::NAN,
        };
        let follows = before.is_none_or(|(least, earlier)| {
            let mut earlier_digits = itoa::Buffer::new();
            let (earlier, member) = (earlier.bytes(&mut earlier_digits), member.bytes(&mut digits));
            order(least, earlier, score, member).is_lt()
        });
        if score.is_nan() || !follows {
            return false;
        }
        before = Some((score, member));
    }
    true
}

impl SortedSet {
    /// The sorted set of a sound pack of members and scores that somebody else made. O(n log n).
    ///
    /// # Errors
    /// The pack, if it cannot be kept as it is.
    pub fn of_pack(bytes: Vec<u8>, limits: SortedSetLimits) -> Result<SortedSet, Vec<u8>> {
        /// Bytes of the longest score.
        const SCORE_LEN_MAX: usize = 32;
        let pack = Listpack::of(&bytes);
        let is_ours = bytes.len() < LISTPACK_BYTES_MAX
            && pack.len() / 2 <= limits.entries
            && foreign::is_kept_alike(pack, 2, limits.value, SCORE_LEN_MAX)
            && is_ordered(pack);
        if is_ours {
            Ok(SortedSet(Form::Packed(ListpackBuf::from_trusted(bytes))))
        } else {
            Err(bytes)
        }
    }

    /// A sorted set of members, each once, in its smallest form.
    pub fn of_members<'a, M>(members: M, limits: SortedSetLimits) -> SortedSet
    where
        M: IntoIterator<Item = (&'a [u8], f64)>,
        M::IntoIter: Clone,
    {
        let (mut set, members) = (SortedSet::default(), members.into_iter());
        let mut sizes = members.clone().map(|(member, _)| member.len());
        // Large from the beginning if it will be in the end: packing forgets the sign of a zero.
        if sizes.clone().count() > limits.entries || sizes.any(|size| size > limits.value) {
            set.enlarge();
        }
        for (member, score) in members {
            set.insert(member, score, limits);
        }
        set
    }

    /// Puts a member in, or gives it another score; its expiry stays. Gives its score before.
    pub fn insert(&mut self, member: &[u8], score: f64, limits: SortedSetLimits) -> Option<f64> {
        if let Form::Packed(pack) = &mut self.0 {
            let before = pack_find(pack.view(), member);
            if let Some((at, before)) = before {
                if order(before, b"", score, b"").is_ne() {
                    pack.remove(at, 2);
                    pack_insert(pack, member, score);
                }
                return Some(before);
            }
            if pack.len() / 2 < limits.entries
                && member.len() <= limits.value
                && pack.as_bytes().len() < LISTPACK_BYTES_MAX
            {
                pack_insert(pack, member, score);
                return None;
            }
        }
        let large = self.enlarge();
        match large.sorted().score(member) {
            Some(before) if order(before, b"", score, b"").is_eq() => Some(before),
            _ => large.insert(member, score),
        }
    }

    /// Takes a member out and gives its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Form::Packed(pack) => {
                let (at, score) = pack_find(pack.view(), member)?;
                pack.remove(at, 2);
                Some(score)
            }
            Form::Large(large) => large.remove(member),
        }
    }

    /// Takes the members of these ranks out.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        match &mut self.0 {
            Form::Packed(pack) => {
                let count = ranks.end.min(pack.len() / 2).saturating_sub(ranks.start);
                let start = isize::try_from(2 * ranks.start).unwrap_or(isize::MAX);
                if let Some(at) = pack.view().index(start).filter(|_| count > 0) {
                    pack.remove(at, 2 * count);
                }
            }
            Form::Large(large) => large.remove_ranks(ranks),
        }
    }

    /// Sets or removes a member's expiry; false if there is no such member.
    pub fn set_expire_at(&mut self, member: &[u8], at: Option<Millis>) -> bool {
        match &mut self.0 {
            Form::Packed(pack) if at.is_none() => pack_find(pack.view(), member).is_some(),
            _ => self.enlarge().set_expire_at(member, at),
        }
    }

    /// Takes out members that have ended by `now` in at most `buckets` buckets. True if all are out.
    pub fn sweep(&mut self, now: Millis, buckets: usize, removed: impl FnMut(&[u8])) -> bool {
        match &mut self.0 {
            Form::Packed(_) => true,
            Form::Large(large) => large.sweep(now, buckets, removed),
        }
    }

    /// Becomes large at once if `more` members to come would not fit the packed form.
    pub fn reserve(&mut self, more: usize, limits: SortedSetLimits) {
        if more > limits.entries {
            self.enlarge();
        }
    }

    /// Heap bytes. O(1).
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Packed(pack) => pack.as_bytes().len(),
            Form::Large(large) => size_of::<LargeSortedSet>() + large.sorted().memory_bytes(),
        }
    }

    /// The large form, if that is what it has.
    #[inline]
    pub fn fragmented(&self) -> Option<&dyn Fragmented> {
        match &self.0 {
            Form::Large(large) => Some(&**large),
            Form::Packed(_) => None,
        }
    }

    /// As [`SortedSet::fragmented`].
    #[inline]
    pub fn fragmented_mut(&mut self) -> Option<&mut dyn Fragmented> {
        match &mut self.0 {
            Form::Large(large) => Some(&mut **large),
            Form::Packed(_) => None,
        }
    }

    /// Moves what it owns where `mover` wants it, as [`Object::relocate`].
    pub(crate) fn relocate(&mut self, reached: u128, elements: usize, mover: &mut Mover) -> u128 {
        match &mut self.0 {
            Form::Packed(pack) => {
                pack.relocate(mover);
                0
            }
            Form::Large(large) => {
                mover.boxed(large);
                large.relocate(reached, elements, mover)
            }
        }
    }

    fn enlarge(&mut self) -> &mut LargeSortedSet {
        if let Form::Packed(pack) = &self.0 {
            let mut large = Box::<LargeSortedSet>::default();
            let view = SortedSetRef::Packed(pack.view());
            let mut digits = itoa::Buffer::new();
            for (member, score) in view.iter(0..view.len()) {
                large.insert(member.bytes(&mut digits), score);
            }
            self.0 = Form::Large(large);
        }
        match &mut self.0 {
            Form::Large(large) => large,
            Form::Packed(_) => unreachable!("it was just made large"),
        }
    }
}

/// Where a packed member stands, and its score.
fn pack_find(pack: Listpack<'_>, member: &[u8]) -> Option<(usize, f64)> {
    let at = pack.find(None, member, 1)?;
    Some((at, packed_score(pack.get(pack.next(at)?))))
}

/// Puts a member that is not there in its place.
fn pack_insert(pack: &mut ListpackBuf, member: &[u8], score: f64) {
    let mut digits = itoa::Buffer::new();
    let view = pack.view();
    let mut place = view.first();
    while let Some(at) = place {
        let Some(score_at) = view.next(at) else { break };
        let other = view.get(at);
        if order(packed_score(view.get(score_at)), other.bytes(&mut digits), score, member).is_gt()
        {
            break;
        }
        place = view.next(score_at);
    }
    let mut text = Vec::with_capacity(24);
    match whole(score) {
        Some(whole) => text.extend_from_slice(digits.format(whole).as_bytes()),
        None => base::double::write(&mut text, score),
    }
    if let Some(at) = place {
        // The score first: the member's place is then the same.
        pack.insert_before(at, &text);
        pack.insert_before(at, member);
    } else {
        pack.push_back(member);
        pack.push_back(&text);
    }
}

impl<'a> SortedSetRef<'a> {
    /// How many members there are.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            SortedSetRef::Packed(pack) => pack.len() / 2,
            SortedSetRef::Large(large) => large.sorted().len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// What OBJECT ENCODING says.
    pub const fn encoding(self) -> &'static str {
        match self {
            SortedSetRef::Packed(_) => "listpack",
            SortedSetRef::Large(_) => "skiplist",
        }
    }

    /// A time before which no member ends; `None` if none ever does.
    pub fn soonest(self) -> Option<Millis> {
        match self {
            SortedSetRef::Packed(_) => None,
            SortedSetRef::Large(large) => large.soonest(),
        }
    }

    /// The members that expire, in order, and when. O(members), if there are any.
    pub fn expiring(self) -> impl Iterator<Item = (&'a [u8], Millis)> {
        let sorted = match self {
            SortedSetRef::Large(large) => Some(large.sorted()),
            SortedSetRef::Packed(_) => None,
        };
        let sorted = sorted.filter(|sorted| sorted.expiring() > 0);
        let entries = sorted.into_iter().flat_map(|sorted| sorted.entries(0..sorted.len()));
        entries.filter_map(|entry| Some((entry.key(), entry.expire_at()?)))
    }

    /// The score of a member.
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            SortedSetRef::Packed(pack) => pack_find(pack, member).map(|(_, score)| score),
            SortedSetRef::Large(large) => large.sorted().score(member),
        }
    }

    /// The rank of a member and its score.
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            SortedSetRef::Packed(_) => {
                let mut all = self.iter(0..self.len()).enumerate();
                let found = all.find(|(_, (other, _))| other.is(member));
                found.map(|(rank, (_, score))| (rank, score))
            }
            SortedSetRef::Large(large) => {
                let sorted = large.sorted();
                sorted.rank(member).zip(sorted.score(member))
            }
        }
    }

    /// The members of these ranks with their scores, from both ends.
    pub fn iter(self, ranks: Range<usize>) -> Scored<'a> {
        Scored::new(self, ranks)
    }

    /// How many members `is_before` holds for; it must hold for a first part of the order.
    /// O(log n) of a large one.
    pub fn partition(self, mut is_before: impl FnMut(&[u8], f64) -> bool) -> usize {
        match self {
            SortedSetRef::Packed(_) => {
                let mut digits = itoa::Buffer::new();
                self.iter(0..self.len())
                    .take_while(|(member, score)| is_before(member.bytes(&mut digits), *score))
                    .count()
            }
            SortedSetRef::Large(large) => large.sorted().partition(is_before),
        }
    }

    /// Visits some members, as SCAN does: a packed one at once.
    pub fn scan(self, cursor: u64, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        if let SortedSetRef::Large(large) = self {
            return large.sorted().scan(cursor, visit);
        }
        let mut digits = itoa::Buffer::new();
        for (member, score) in self.iter(0..self.len()) {
            visit(member.bytes(&mut digits), score);
        }
        0
    }
}

impl Collection for SortedSet {
    const KIND: Kind = Kind::SortedSet;
    type Ref<'a> = SortedSetRef<'a>;

    fn view(_: u8, bytes: &[u8]) -> SortedSetRef<'_> {
        SortedSetRef::Packed(Listpack::of(bytes))
    }

    fn as_ref(&self) -> SortedSetRef<'_> {
        match &self.0 {
            Form::Packed(pack) => SortedSetRef::Packed(pack.view()),
            Form::Large(large) => SortedSetRef::Large(large),
        }
    }

    fn unpack(_: u8, bytes: &[u8]) -> SortedSet {
        SortedSet(Form::Packed(ListpackBuf::from_trusted(bytes.to_vec())))
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        match &self.0 {
            Form::Packed(pack) => Some((0, pack.as_bytes())),
            Form::Large(_) => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }

    in_object!(SortedSet);
}

#[cfg(test)]
mod tests;
