//! Hashes: fields with values, each field with an expiry of its own if it was given one.
//!
//! A small hash is a listpack of fields and values in turn. One that outgrows the limits, or has a
//! field that expires, becomes a table and stays one (as Valkey 9 has it).

use crate::collection::in_object;
use crate::fields::{Field, Fields, has_ended, value_of};
use crate::fragment::Fragmented;
use crate::{Collection, Kind, Object, foreign};
use base::Millis;
use base::random::Random;
use structures::Mover;
use structures::listpack::{self, Item, Listpack, ListpackBuf};

/// Bytes of a listpack above which nothing is added to it.
const LISTPACK_BYTES_MAX: usize = 1 << 30;

/// How large a packed hash may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashLimits {
    /// Fields.
    pub entries: usize,
    /// Bytes of a field or value.
    pub value: usize,
}

impl Default for HashLimits {
    /// The settings' defaults.
    fn default() -> HashLimits {
        HashLimits { entries: 512, value: 64 }
    }
}

/// A hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hash(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Packed(ListpackBuf),
    Large(Box<Fields>),
}

/// A view of a hash. Where a method takes `now`, fields that have ended by then are not found; pass
/// zero to find them all.
#[derive(Clone, Copy, Debug)]
pub enum HashRef<'a> {
    /// Packed pairs.
    Packed(Listpack<'a>),
    /// A table of fields.
    Large(&'a Fields),
}

impl Default for Hash {
    fn default() -> Hash {
        Hash(Form::Packed(ListpackBuf::new()))
    }
}

impl From<ListpackBuf> for Hash {
    /// A hash of a pack of pairs whose fields differ.
    fn from(pack: ListpackBuf) -> Hash {
        Hash(Form::Packed(pack))
    }
}

impl Hash {
    /// The hash of a sound pack of pairs that somebody else made. O(n log n).
    ///
    /// # Errors
    /// The pack, if it cannot be kept as it is.
    pub fn of_pack(bytes: Vec<u8>, limits: HashLimits) -> Result<Hash, Vec<u8>> {
        let pack = Listpack::of(&bytes);
        let is_ours = bytes.len() < LISTPACK_BYTES_MAX
            && pack.len() / 2 <= limits.entries
            && foreign::is_kept_alike(pack, 2, limits.value, limits.value);
        if is_ours { Ok(Hash(Form::Packed(ListpackBuf::from_trusted(bytes)))) } else { Err(bytes) }
    }

    /// Sets a field, with `expire_at` as its expiry; true if there was no such field.
    pub fn set(
        &mut self,
        field: &[u8],
        value: &[u8],
        expire_at: Option<Millis>,
        limits: HashLimits,
    ) -> bool {
        if let Form::Packed(pack) = &mut self.0 {
            let short = field.len() <= limits.value && value.len() <= limits.value;
            if short && expire_at.is_none() && pack.as_bytes().len() < LISTPACK_BYTES_MAX {
                if let Some(at) = value_at(pack.view(), field) {
                    pack.replace(at, value);
                    return false;
                }
                pack.push_back(field);
                pack.push_back(value);
                if pack.len() / 2 > limits.entries {
                    self.enlarge();
                }
                return true;
            }
        }
        self.enlarge().insert(field, value, expire_at)
    }

    /// Takes a field out; true if it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.0 {
            Form::Packed(pack) => match pack.view().find(None, field, 1) {
                Some(at) => pack.remove(at, 2) == 2,
                None => false,
            },
            Form::Large(fields) => fields.remove(field),
        }
    }

    /// Sets or removes a field's expiry; false if there is no such field.
    pub fn set_expire_at(&mut self, field: &[u8], at: Option<Millis>) -> bool {
        match &mut self.0 {
            Form::Packed(pack) if at.is_none() => pack.view().find(None, field, 1).is_some(),
            _ => self.enlarge().set_expire_at(field, at),
        }
    }

    /// Takes out fields that have ended by `now` in at most `buckets` buckets. True if all are out.
    pub fn sweep(&mut self, now: Millis, buckets: usize, removed: impl FnMut(&[u8])) -> bool {
        match &mut self.0 {
            Form::Packed(_) => true,
            Form::Large(fields) => fields.sweep(now, buckets, removed),
        }
    }

    /// Moves what it owns where `mover` wants it, as [`Object::relocate`].
    pub(crate) fn relocate(&mut self, reached: u128, elements: usize, mover: &mut Mover) -> u128 {
        match &mut self.0 {
            Form::Packed(pack) => {
                pack.relocate(mover);
                0
            }
            Form::Large(fields) => {
                mover.boxed(fields);
                fields.relocate(reached, elements, mover)
            }
        }
    }

    /// Heap bytes. O(1).
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Packed(pack) => pack.as_bytes().len(),
            Form::Large(fields) => size_of::<Fields>() + fields.heap_bytes(),
        }
    }

    /// The table, if it is one.
    #[inline]
    pub fn fragmented(&self) -> Option<&dyn Fragmented> {
        match &self.0 {
            Form::Large(fields) => Some(&**fields),
            Form::Packed(_) => None,
        }
    }

    /// As [`Hash::fragmented`].
    #[inline]
    pub fn fragmented_mut(&mut self) -> Option<&mut dyn Fragmented> {
        match &mut self.0 {
            Form::Large(fields) => Some(&mut **fields),
            Form::Packed(_) => None,
        }
    }

    fn enlarge(&mut self) -> &mut Fields {
        if let Form::Packed(pack) = &self.0 {
            let mut fields = Box::<Fields>::default();
            let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
            for (field, value) in HashRef::Packed(pack.view()).iter(Millis(0)) {
                fields.insert(field.bytes(&mut name), value.bytes(&mut text), None);
            }
            self.0 = Form::Large(fields);
        }
        match &mut self.0 {
            Form::Large(fields) => fields,
            Form::Packed(_) => unreachable!("it was just made large"),
        }
    }
}

/// Where the value of `field` stands.
fn value_at(pack: Listpack<'_>, field: &[u8]) -> Option<usize> {
    pack.find(None, field, 1).and_then(|at| pack.next(at))
}

impl<'a> HashRef<'a> {
    /// The number of fields, those included that have ended and are still held.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            HashRef::Packed(pack) => pack.len() / 2,
            HashRef::Large(fields) => fields.len(),
        }
    }

    /// Whether there are no fields.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// What OBJECT ENCODING says.
    pub const fn encoding(self) -> &'static str {
        match self {
            HashRef::Packed(_) => "listpack",
            HashRef::Large(_) => "hashtable",
        }
    }

    /// A time before which no field ends; `None` if none ever does.
    pub fn soonest(self) -> Option<Millis> {
        match self {
            HashRef::Packed(_) => None,
            HashRef::Large(fields) => fields.soonest(),
        }
    }

    /// Whether some field may have ended by `now`.
    pub fn may_have_ended(self, now: Millis) -> bool {
        self.soonest().is_some_and(|at| at <= now)
    }

    /// The value of a field.
    #[inline]
    pub fn get(self, field: &[u8], now: Millis) -> Option<Item<'a>> {
        match self {
            HashRef::Packed(pack) => value_at(pack, field).map(|at| pack.get(at)),
            HashRef::Large(fields) => {
                let found = fields.get(field).filter(|found| !has_ended(found, now));
                found.map(|found| Item::Bytes(value_of(found)))
            }
        }
    }

    /// When a field expires: `None` without such a field, `Some(None)` if it does not.
    #[allow(clippy::option_option, reason = "absence and permanence are two answers")]
    pub fn expire_at(self, field: &[u8], now: Millis) -> Option<Option<Millis>> {
        match self {
            HashRef::Packed(pack) => pack.find(None, field, 1).map(|_| None),
            HashRef::Large(fields) => {
                let found = fields.get(field).filter(|found| !has_ended(found, now));
                found.map(Field::expire_at)
            }
        }
    }

    /// Whether a field has ended by `now` and is still held.
    pub fn has_ended(self, field: &[u8], now: Millis) -> bool {
        match self {
            HashRef::Packed(_) => false,
            HashRef::Large(fields) => {
                self.may_have_ended(now)
                    && fields.get(field).is_some_and(|found| has_ended(found, now))
            }
        }
    }

    /// The fields and their values.
    pub fn iter(self, now: Millis) -> Pairs<'a> {
        match self {
            HashRef::Packed(pack) => Pairs::Packed(pack.iter()),
            HashRef::Large(fields) => Pairs::Large(fields.iter(), now),
        }
    }

    /// The fields, their values and expiries, ended ones included: for snapshots and copies.
    pub fn each(self, mut visit: impl FnMut(Item<'a>, Item<'a>, Option<Millis>)) {
        match self {
            HashRef::Packed(_) => {
                self.iter(Millis(0)).for_each(|(field, value)| visit(field, value, None));
            }
            HashRef::Large(fields) => fields.iter().for_each(|field| {
                let value = Item::Bytes(value_of(field));
                visit(Item::Bytes(field.key()), value, field.expire_at());
            }),
        }
    }

    /// Visits some fields, as SCAN does: a packed hash at once.
    pub fn scan(self, cursor: u64, now: Millis, mut visit: impl FnMut(Item<'a>, Item<'a>)) -> u64 {
        match self {
            HashRef::Packed(_) => {
                self.iter(now).for_each(|(field, value)| visit(field, value));
                0
            }
            HashRef::Large(fields) => fields.scan(cursor, |field| {
                if !has_ended(field, now) {
                    visit(Item::Bytes(field.key()), Item::Bytes(value_of(field)));
                }
            }),
        }
    }

    /// A random field and its value; it may have ended.
    pub fn random(self, random: &mut Random) -> Option<(Item<'a>, Item<'a>)> {
        match self {
            HashRef::Packed(pack) => {
                let len = u64::try_from(pack.len() / 2).unwrap_or(u64::MAX);
                let at = pack.index(isize::try_from(random.below(len) * 2).unwrap_or(0))?;
                Some((pack.get(at), pack.get(pack.next(at)?)))
            }
            HashRef::Large(fields) => fields
                .random(random)
                .map(|field| (Item::Bytes(field.key()), Item::Bytes(value_of(field)))),
        }
    }
}

/// The fields of a hash and their values. Made by [`HashRef::iter`].
#[allow(missing_debug_implementations, reason = "a table's iterator shows nothing")]
pub enum Pairs<'a> {
    /// Of a listpack.
    Packed(listpack::Iter<'a>),
    /// Of a table, with the time.
    Large(structures::Iter<'a, std::convert::Infallible>, Millis),
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, Item<'a>);

    fn next(&mut self) -> Option<(Item<'a>, Item<'a>)> {
        match self {
            Pairs::Packed(iter) => Some((iter.next()?, iter.next()?)),
            Pairs::Large(iter, now) => iter
                .find(|field| !has_ended(field, *now))
                .map(|field| (Item::Bytes(field.key()), Item::Bytes(value_of(field)))),
        }
    }
}

impl Collection for Hash {
    const KIND: Kind = Kind::Hash;
    type Ref<'a> = HashRef<'a>;

    fn view(_form: u8, bytes: &[u8]) -> HashRef<'_> {
        HashRef::Packed(Listpack::of(bytes))
    }

    fn as_ref(&self) -> HashRef<'_> {
        match &self.0 {
            Form::Packed(pack) => HashRef::Packed(pack.view()),
            Form::Large(fields) => HashRef::Large(fields),
        }
    }

    fn unpack(_form: u8, bytes: &[u8]) -> Hash {
        Hash(Form::Packed(ListpackBuf::from_trusted(bytes.to_vec())))
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

    in_object!(Hash);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const SMALL: HashLimits = HashLimits { entries: 4, value: 5 };
    const NOW: Millis = Millis(50);

    type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<Millis>)>;

    fn alive(at: Option<Millis>) -> bool {
        at.is_none_or(|at| at > NOW)
    }

    fn compare(hash: &Hash, model: &Model) {
        let view = hash.as_ref();
        assert_eq!(view.len(), model.len());
        for (field, (value, at)) in model {
            let found = view.get(field, NOW).map(Item::to_vec);
            assert_eq!(found, alive(*at).then(|| value.clone()));
            assert_eq!(view.has_ended(field, NOW), !alive(*at));
            assert_eq!(view.expire_at(field, Millis(0)), Some(*at));
            assert!(at.is_none_or(|at| view.soonest().is_some_and(|soonest| soonest <= at)));
        }
        let held: Vec<_> = view.iter(NOW).map(|(field, _)| field.to_vec()).collect();
        assert_eq!(held.len(), model.values().filter(|(_, at)| alive(*at)).count());
        if let Some((form, bytes)) = hash.packed() {
            assert_eq!(&Hash::unpack(form, bytes), hash);
        }
        assert_eq!(&hash.clone(), hash);
    }

    proptest! {
        #[test]
        fn a_hash_is_a_map(steps in prop::collection::vec(
            (0..6u8, "[a-d0-9]{1,2}", "[0-9a]{0,7}", 1..100u64), 0..60)) {
            let (mut hash, mut model) = (Hash::default(), Model::new());
            for (step, field, value, at) in steps {
                let (field, value) = (field.into_bytes(), value.into_bytes());
                let at = (step % 3 == 0).then_some(Millis(at));
                match step {
                    0..3 => {
                        let fresh = hash.set(&field, &value, at, SMALL);
                        prop_assert_eq!(fresh, model.insert(field, (value, at)).is_none());
                    }
                    3 | 4 => {
                        let found = model.get_mut(&field).map(|(_, expiry)| *expiry = at);
                        prop_assert_eq!(hash.set_expire_at(&field, at), found.is_some());
                    }
                    _ => prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some()),
                }
                compare(&hash, &model);
            }
            let mut removed = 0;
            while !hash.sweep(NOW, 1, |_| removed += 1) {}
            let before = model.len();
            model.retain(|_, (_, at)| alive(*at));
            prop_assert_eq!(removed, before - model.len());
            compare(&hash, &model);
            let soonest = model.values().filter_map(|(_, at)| *at).min();
            prop_assert_eq!(hash.as_ref().soonest(), soonest);
        }
    }

    #[test]
    fn forms_follow_the_limits() {
        let mut hash = Hash::default();
        for field in [b"a", b"b", b"c", b"d"] {
            hash.set(field, b"1", None, SMALL);
        }
        assert_eq!(hash.as_ref().encoding(), "listpack");
        hash.set(b"e", b"1", None, SMALL);
        assert_eq!(hash.as_ref().encoding(), "hashtable");
        let mut hash = Hash::default();
        hash.set(b"a", b"123456", None, SMALL);
        assert_eq!(hash.as_ref().encoding(), "hashtable");
    }
}
