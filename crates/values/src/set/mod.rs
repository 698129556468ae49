//! Sets: members, each once.
//!
//! Small sets are packed: integers in an intset, anything else in a listpack. What outgrows the limits
//! becomes a [`LargeSet`] and stays one. The forms are chosen as stock 7.2 and later choose them. Members
//! that expire (`KeyDB`) stand in such a one; one that has ended is a member until it is swept out.

mod large;

pub use large::LargeSet;

use crate::collection::in_object;
use crate::fragment::Fragmented;
use crate::{Collection, Kind, Object, foreign};
use base::Millis;
use base::random::Random;
use structures::intset::{Intset, IntsetBuf};
use structures::listpack::{self, Item, Listpack, ListpackBuf};
use structures::{Mover, PagedIter};

/// Bytes of a listpack above which nothing is added to it.
const LISTPACK_BYTES_MAX: usize = 1 << 30;

/// How large packed sets may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLimits {
    /// Members of an intset.
    pub intset_entries: usize,
    /// Members of a listpack.
    pub listpack_entries: usize,
    /// Bytes of a member of a listpack.
    pub listpack_value: usize,
}

impl Default for SetLimits {
    /// The settings' defaults.
    fn default() -> SetLimits {
        SetLimits { intset_entries: 512, listpack_entries: 128, listpack_value: 64 }
    }
}

/// A set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Ints(IntsetBuf),
    Packed(ListpackBuf),
    Large(Box<LargeSet>),
}

/// A view of a set.
#[derive(Clone, Copy, Debug)]
pub enum SetRef<'a> {
    /// Packed integers.
    Ints(Intset<'a>),
    /// Packed members.
    Packed(Listpack<'a>),
    /// A table of members.
    Large(&'a LargeSet),
}

impl Default for Set {
    /// An empty set, in the form of integers until something else is added.
    fn default() -> Set {
        Set(Form::Ints(IntsetBuf::new()))
    }
}

impl From<IntsetBuf> for Set {
    fn from(ints: IntsetBuf) -> Set {
        Set(Form::Ints(ints))
    }
}

impl From<ListpackBuf> for Set {
    /// A set of a pack whose elements differ.
    fn from(pack: ListpackBuf) -> Set {
        Set(Form::Packed(pack))
    }
}

impl Set {
    /// The set of a sound pack that somebody else made. O(n log n).
    ///
    /// # Errors
    /// The pack, if it cannot be kept as it is.
    pub fn of_pack(bytes: Vec<u8>, limits: SetLimits) -> Result<Set, Vec<u8>> {
        let pack = Listpack::of(&bytes);
        let is_ours = bytes.len() < LISTPACK_BYTES_MAX
            && pack.len() <= limits.listpack_entries
            && pack.iter().any(|item| matches!(item, Item::Bytes(_)))
            && foreign::is_kept_alike(pack, 1, limits.listpack_value, 0);
        if is_ours { Ok(Set(Form::Packed(ListpackBuf::from_trusted(bytes)))) } else { Err(bytes) }
    }

    /// The set of a sound intset that somebody else made. O(1).
    ///
    /// # Errors
    /// The intset, if it is too large to be kept as it is.
    pub fn of_intset(bytes: Vec<u8>, limits: SetLimits) -> Result<Set, Vec<u8>> {
        if Intset::of(&bytes).len() <= limits.intset_entries {
            Ok(Set(Form::Ints(IntsetBuf::from_trusted(bytes))))
        } else {
            Err(bytes)
        }
    }

    /// A set of `members` in its smallest form.
    pub fn of_members<'a>(members: impl IntoIterator<Item = &'a [u8]>, limits: SetLimits) -> Set {
        let mut set = Set::default();
        for member in members {
            set.add(member, limits);
        }
        set
    }

    /// Adds a member; true if it is new.
    pub fn add(&mut self, member: &[u8], limits: SetLimits) -> bool {
        match &mut self.0 {
            Form::Large(large) => return large.insert(member, None),
            Form::Ints(ints) => {
                if let Some(value) = listpack::integer(member) {
                    let added = ints.insert(value);
                    if ints.len() > limits.intset_entries {
                        self.enlarge();
                    }
                    return added;
                }
                let longest = [ints.view().first(), ints.view().last()];
                let longest = longest.into_iter().flatten().map(digits).max().unwrap_or(0);
                if ints.len() < limits.listpack_entries
                    && longest.max(member.len()) <= limits.listpack_value
                {
                    let mut pack = ListpackBuf::new();
                    ints.view().iter().for_each(|value| pack.push_back_int(value));
                    pack.push_back(member);
                    self.0 = Form::Packed(pack);
                    return true;
                }
            }
            Form::Packed(pack) => {
                if pack.view().find(None, member, 0).is_some() {
                    return false;
                }
                if pack.len() < limits.listpack_entries
                    && member.len() <= limits.listpack_value
                    && pack.as_bytes().len() < LISTPACK_BYTES_MAX
                {
                    pack.push_back(member);
                    return true;
                }
            }
        }
        self.enlarge().insert(member, None)
    }

    /// Takes a member out; true if it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Form::Ints(ints) => listpack::integer(member).is_some_and(|value| ints.remove(value)),
            Form::Packed(pack) => match pack.view().find(None, member, 0) {
                Some(at) => pack.remove(at, 1) == 1,
                None => false,
            },
            Form::Large(large) => large.remove(member),
        }
    }

    /// Takes a random member out.
    pub fn pop(&mut self, random: &mut Random) -> Option<Vec<u8>> {
        let member = self.as_ref().random(random)?.to_vec();
        self.remove(&member);
        Some(member)
    }

    /// Sets or removes a member's expiry; false if there is no such member.
    pub fn set_expire_at(&mut self, member: &[u8], at: Option<Millis>) -> bool {
        match &mut self.0 {
            Form::Ints(_) | Form::Packed(_) if at.is_none() => self.as_ref().contains(member),
            _ => self.enlarge().set_expire_at(member, at),
        }
    }

    /// Takes out members that have ended by `now` in at most `pages` pages. True if all are out.
    pub fn sweep(&mut self, now: Millis, pages: usize, removed: impl FnMut(&[u8])) -> bool {
        match &mut self.0 {
            Form::Ints(_) | Form::Packed(_) => true,
            Form::Large(large) => large.sweep(now, pages, removed),
        }
    }

    /// Becomes a table at once if `more` members to come would not fit the packed form it has.
    pub fn reserve(&mut self, more: usize, limits: SetLimits) {
        let fits = match &self.0 {
            Form::Ints(_) => more <= limits.intset_entries,
            Form::Packed(_) => more <= limits.listpack_entries,
            Form::Large(_) => true,
        };
        if !fits {
            self.enlarge();
        }
    }

    /// Heap bytes. O(1).
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Ints(ints) => ints.as_bytes().len(),
            Form::Packed(pack) => pack.as_bytes().len(),
            Form::Large(large) => size_of::<LargeSet>() + large.heap_bytes(),
        }
    }

    /// The large form, if that is what it has.
    #[inline]
    pub fn fragmented(&self) -> Option<&dyn Fragmented> {
        match &self.0 {
            Form::Large(large) => Some(&**large),
            Form::Ints(_) | Form::Packed(_) => None,
        }
    }

    /// As [`Set::fragmented`].
    #[inline]
    pub fn fragmented_mut(&mut self) -> Option<&mut dyn Fragmented> {
        match &mut self.0 {
            Form::Large(large) => Some(&mut **large),
            Form::Ints(_) | Form::Packed(_) => None,
        }
    }

    /// Moves what it owns where `mover` wants it, as [`Object::relocate`].
    pub(crate) fn relocate(&mut self, reached: u128, elements: usize, mover: &mut Mover) -> u128 {
        match &mut self.0 {
            Form::Ints(ints) => ints.relocate(mover),
            Form::Packed(pack) => pack.relocate(mover),
            Form::Large(large) => {
                mover.boxed(large);
                return large.relocate(reached, elements, mover);
            }
        }
        0
    }

    fn enlarge(&mut self) -> &mut LargeSet {
        if !matches!(self.0, Form::Large(_)) {
            let mut large = Box::<LargeSet>::default();
            let mut digits = itoa::Buffer::new();
            for member in self.as_ref().iter() {
                large.insert(member.bytes(&mut digits), None);
            }
            self.0 = Form::Large(large);
        }
        match &mut self.0 {
            Form::Large(large) => large,
            Form::Ints(_) | Form::Packed(_) => unreachable!("it was just made large"),
        }
    }
}

fn digits(value: i64) -> usize {
    itoa::Buffer::new().format(value).len()
}

impl<'a> SetRef<'a> {
    /// The number of members.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            SetRef::Ints(ints) => ints.len(),
            SetRef::Packed(pack) => pack.len(),
            SetRef::Large(large) => large.len(),
        }
    }

    /// Whether there are no members.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// What OBJECT ENCODING says.
    pub const fn encoding(self) -> &'static str {
        match self {
            SetRef::Ints(_) => "intset",
            SetRef::Packed(_) => "listpack",
            SetRef::Large(_) => "hashtable",
        }
    }

    /// Whether `member` is in it.
    #[inline]
    pub fn contains(self, member: &[u8]) -> bool {
        match self {
            SetRef::Ints(ints) => {
                listpack::integer(member).is_some_and(|value| ints.contains(value))
            }
            SetRef::Packed(pack) => pack.find(None, member, 0).is_some(),
            SetRef::Large(large) => large.contains(member),
        }
    }

    /// A time before which no member ends; `None` if none ever does.
    pub fn soonest(self) -> Option<Millis> {
        match self {
            SetRef::Ints(_) | SetRef::Packed(_) => None,
            SetRef::Large(large) => large.soonest(),
        }
    }

    /// The members that expire, and when. O(members), if there are any.
    pub fn expiring(self) -> impl Iterator<Item = (&'a [u8], Millis)> {
        let large = match self {
            SetRef::Large(large) if large.expiring() > 0 => Some(large),
            _ => None,
        };
        let members = large.into_iter().flat_map(LargeSet::iter);
        members.filter_map(|member| Some((member.bytes, member.expire_at?)))
    }

    /// The members: of integers in ascending order, else in none that is promised.
    pub fn iter(self) -> Members<'a> {
        match self {
            SetRef::Ints(ints) => Members::Ints(ints, 0),
            SetRef::Packed(pack) => Members::Packed(pack.iter()),
            SetRef::Large(large) => Members::Large(large.iter()),
        }
    }

    /// Visits some members, as SCAN does: a packed set at once.
    pub fn scan(self, cursor: u64, mut visit: impl FnMut(Item<'a>)) -> u64 {
        if let SetRef::Large(large) = self {
            return large.scan(cursor, |member| visit(Item::Bytes(member.bytes)));
        }
        self.iter().for_each(visit);
        0
    }

    /// A random member.
    pub fn random(self, random: &mut Random) -> Option<Item<'a>> {
        let index = |len: usize, random: &mut Random| {
            usize::try_from(random.below(u64::try_from(len).unwrap_or(u64::MAX))).unwrap_or(0)
        };
        match self {
            SetRef::Ints(ints) => ints.get(index(ints.len(), random)).map(Item::Int),
            SetRef::Packed(pack) => {
                let index = isize::try_from(index(pack.len(), random)).unwrap_or(0);
                pack.index(index).map(|at| pack.get(at))
            }
            SetRef::Large(large) => large.random(random).map(Item::Bytes),
        }
    }
}

/// The members of a set. Made by [`SetRef::iter`].
#[allow(missing_debug_implementations, reason = "a table's iterator shows nothing")]
pub enum Members<'a> {
    /// Of integers, with the index of the next.
    Ints(Intset<'a>, usize),
    /// Of a listpack.
    Packed(listpack::Iter<'a>),
    /// Of a table.
    Large(PagedIter<'a>),
}

impl<'a> Iterator for Members<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Members::Ints(ints, next) => {
                *next += 1;
                ints.get(*next - 1).map(Item::Int)
            }
            Members::Packed(iter) => iter.next(),
            Members::Large(iter) => iter.next().map(|member| Item::Bytes(member.bytes)),
        }
    }
}

impl Collection for Set {
    const KIND: Kind = Kind::Set;
    type Ref<'a> = SetRef<'a>;

    fn view(form: u8, bytes: &[u8]) -> SetRef<'_> {
        match form {
            0 => SetRef::Packed(Listpack::of(bytes)),
            _ => SetRef::Ints(Intset::of(bytes)),
        }
    }

    fn as_ref(&self) -> SetRef<'_> {
        match &self.0 {
            Form::Ints(ints) => SetRef::Ints(ints.view()),
            Form::Packed(pack) => SetRef::Packed(pack.view()),
            Form::Large(large) => SetRef::Large(large),
        }
    }

    fn unpack(form: u8, bytes: &[u8]) -> Set {
        match form {
            0 => Set(Form::Packed(ListpackBuf::from_trusted(bytes.to_vec()))),
            _ => Set(Form::Ints(IntsetBuf::from_trusted(bytes.to_vec()))),
        }
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        match &self.0 {
            Form::Packed(pack) => Some((0, pack.as_bytes())),
            Form::Ints(ints) => Some((1, ints.as_bytes())),
            Form::Large(_) => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }

    in_object!(Set);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const SMALL: SetLimits =
        SetLimits { intset_entries: 4, listpack_entries: 6, listpack_value: 5 };

    #[test]
    fn forms_follow_the_limits() {
        for (members, expected) in [
            ("1 2 3 4", "intset"),
            ("1 2 3 4 5", "hashtable"),
            ("1 2 a", "listpack"),
            ("a b c d e f", "listpack"),
            ("a b c d e f g", "hashtable"),
            ("a toolong", "hashtable"),
            ("123456 a", "hashtable"),
            ("01", "listpack"),
        ] {
            let set = Set::of_members(members.split(' ').map(str::as_bytes), SMALL);
            assert_eq!(set.as_ref().encoding(), expected, "{members}");
        }
        let mut set = Set::default();
        set.reserve(5, SMALL);
        assert_eq!(set.as_ref().encoding(), "hashtable");
    }

    proptest! {
        #[test]
        fn a_set_is_a_set(steps in prop::collection::vec(
            (0..3u8, prop_oneof!["[a-c]{0,2}", "-?[0-9]{1,3}", "[0-9a-z]{6}"]), 0..60)) {
            let (mut set, mut model) = (Set::default(), BTreeSet::new());
            let mut random = Random::from_seed(7);
            for (step, member) in steps {
                let member = member.into_bytes();
                match step {
                    0 | 1 => prop_assert_eq!(set.add(&member, SMALL), model.insert(member)),
                    _ => prop_assert_eq!(set.remove(&member), model.remove(&member)),
                }
                prop_assert_eq!(set.as_ref().len(), model.len());
                if let Some((form, bytes)) = set.packed() {
                    prop_assert_eq!(&Set::unpack(form, bytes), &set);
                }
                prop_assert_eq!(&set.clone(), &set);
            }
            let held: BTreeSet<_> = set.as_ref().iter().map(Item::to_vec).collect();
            prop_assert_eq!(&held, &model);
            let mut scanned = BTreeSet::new();
            let mut cursor = 0;
            loop {
                cursor = set.as_ref().scan(cursor, |item| { scanned.insert(item.to_vec()); });
                if cursor == 0 { break; }
            }
            prop_assert_eq!(&scanned, &model);
            prop_assert!(model.iter().all(|member| set.as_ref().contains(member)));
            while let Some(member) = set.pop(&mut random) {
                prop_assert!(model.remove(&member));
            }
            prop_assert!(model.is_empty() && set.is_empty());
        }

        #[test]
        fn members_end(steps in prop::collection::vec((0..5u8, 0..99u32, 0..50u64), 0..200)) {
            let (mut set, mut model) = (Set::default(), BTreeMap::new());
            for (step, number, at) in steps {
                let (member, at) = (format!("m{number}").into_bytes(), Millis(at));
                match step {
                    0 => prop_assert_eq!(set.add(&member, SMALL), !model.contains_key(&member)),
                    1 => prop_assert_eq!(set.remove(&member), model.contains_key(&member)),
                    2 | 3 => {
                        let at = (step == 2).then_some(at);
                        prop_assert_eq!(set.set_expire_at(&member, at), model.contains_key(&member));
                    }
                    _ => {
                        let has_ended = |end: &Option<Millis>| end.is_some_and(|end| end <= at);
                        let mut gone = BTreeSet::new();
                        let mut note = |member: &[u8]| _ = gone.insert(member.to_vec());
                        while !set.sweep(at, 2, &mut note) {}
                        let ended: BTreeSet<Vec<u8>> = model
                            .extract_if(.., |_, end| has_ended(end))
                            .map(|(member, _)| member)
                            .collect();
                        prop_assert_eq!(gone, ended);
                        // A whole pass makes the bound exact.
                        while !set.sweep(at, 2, |_| ()) {}
                        prop_assert_eq!(set.as_ref().soonest(), model.values().flatten().min().copied());
                    }
                }
                match step {
                    0 => _ = model.entry(member).or_insert(None),
                    1 => _ = model.remove(&member),
                    2 | 3 => {
                        if let Some(end) = model.get_mut(&member) {
                            *end = (step == 2).then_some(at);
                        }
                    }
                    _ => {}
                }
                let least = model.values().flatten().min();
                prop_assert_eq!(set.as_ref().soonest().is_some(), least.is_some());
                prop_assert!(set.as_ref().soonest() <= least.copied());
                let expiring: BTreeMap<Vec<u8>, Option<Millis>> =
                    set.as_ref().expiring().map(|(member, at)| (member.to_vec(), Some(at))).collect();
                let mut expected = model.clone();
                expected.retain(|_, at| at.is_some());
                prop_assert_eq!(expiring, expected);
                prop_assert_eq!(&set.clone(), &set);
                prop_assert_eq!(set.clone().as_ref().soonest().is_some(), least.is_some());
            }
        }
    }
}
