//! A table of fields with values and, each by itself, an expiry: the large form of hashes.
//!
//! A field is an [`Entry`]: name, value and expiry in one allocation. Nothing here expires by itself:
//! whoever looks says what time it is, and `sweep` takes out what has ended.
//!
//! To walks a field is a fragment of a hash.

use crate::fragment::{Fragment, Fragmented, Outline, Position, Sides};
use crate::sweep::Sweep;
use crate::{Kind, relocate};
use base::Millis;
use base::random::Random;
use std::convert::Infallible;
use std::fmt;
use structures::{Entry, KeyHash, Mover, NewValue, Table, ValueRef};

/// A field: its value lies inline.
pub type Field = Entry<Infallible>;

/// The value of a field.
#[inline]
pub fn value_of(field: &Field) -> &[u8] {
    match field.value() {
        ValueRef::Bytes(bytes) => bytes,
        ValueRef::Int(_) => &[],
        ValueRef::Boxed(never) => match *never {},
    }
}

/// Whether `field` has ended by `now`.
#[inline]
pub fn has_ended(field: &Field, now: Millis) -> bool {
    field.expire_at().is_some_and(|at| at <= now)
}

/// Fields with different names.
#[derive(Default)]
pub struct Fields {
    table: Table<Infallible>,
    /// Bytes of the entries.
    bytes: usize,
    /// How many fields have an expiry.
    expiring: usize,
    sweep: Sweep,
    sides: Sides,
}

impl Fields {
    /// The number of fields, ended ones that are still held included.
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The number of fields with an expiry.
    pub fn expiring(&self) -> usize {
        self.expiring
    }

    /// A time before which no field ends.
    #[inline]
    pub fn soonest(&self) -> Option<Millis> {
        (self.expiring > 0).then_some(self.sweep.soonest())
    }

    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.bytes + self.table.memory_bytes()
    }

    /// The field `name`, ended or not.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<&Field> {
        self.table.find(KeyHash::of(name), name)
    }

    /// Puts a field in; true if there was none of this name.
    pub fn insert(&mut self, name: &[u8], value: &[u8], expire_at: Option<Millis>) -> bool {
        let hash = KeyHash::of(name);
        let fresh = Entry::new(name, NewValue::Bytes(value), expire_at);
        if !self.sides.is_empty() {
            self.save(hash, name);
            fresh.set_epoch(self.sides.epoch());
        }
        self.count_in(&fresh);
        let old = self.table.insert(hash, fresh, &KeyHash);
        if let Some(old) = &old {
            self.count_out(old);
        }
        old.is_none()
    }

    /// Sets or removes the expiry of `name`; false if there is no such field.
    pub fn set_expire_at(&mut self, name: &[u8], at: Option<Millis>) -> bool {
        let Some(field) = self.table.find_mut(KeyHash::of(name), name) else { return false };
        if !self.sides.is_empty() {
            save(&self.sides, field);
        }
        self.bytes -= field.allocated_bytes();
        self.expiring -= usize::from(field.expire_at().is_some());
        field.set_expire_at(at);
        self.bytes += field.allocated_bytes();
        self.note_expiry(at);
        true
    }

    /// Takes a field out; true if it was there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let hash = KeyHash::of(name);
        if !self.sides.is_empty() {
            self.save(hash, name);
        }
        let removed = self.table.remove(hash, name);
        if let Some(field) = &removed {
            self.count_out(field);
        }
        removed.is_some()
    }

    /// All fields, in no order.
    pub fn iter(&self) -> structures::Iter<'_, Infallible> {
        self.table.iter()
    }

    /// Visits some fields, as SCAN does.
    pub fn scan<'a>(&'a self, cursor: u64, visit: impl FnMut(&'a Field)) -> u64 {
        self.table.scan(cursor, visit)
    }

    /// A field chosen about evenly.
    pub fn random(&self, random: &mut Random) -> Option<&Field> {
        self.table.random(random)
    }

    /// Takes out what has ended by `now` in at most `buckets` buckets, going on where the last call
    /// stopped. True if the pass is over: then `soonest` is exact.
    pub fn sweep(&mut self, now: Millis, buckets: usize, mut removed: impl FnMut(&[u8])) -> bool {
        let Fields { table, bytes, expiring, sweep, sides } = self;
        sweep.run(buckets, |cursor, gathered| {
            let ended = |field: &mut Field| {
                let ended = gathered.has_ended(field.expire_at(), now);
                if ended && !sides.is_empty() {
                    save(sides, field);
                }
                ended
            };
            table.drain_where(cursor, ended, |field| {
                *bytes -= field.allocated_bytes();
                *expiring -= 1;
                removed(field.key());
            })
        })
    }

    /// Moves what it owns where `mover` wants it, as [`crate::Object::relocate`].
    pub(crate) fn relocate(&mut self, reached: u128, elements: usize, mover: &mut Mover) -> u128 {
        relocate::through(reached, elements, |cursor| {
            let mut seen = 0;
            let next = self.table.relocate_some(cursor, mover, |field, mover| {
                seen += 1;
                field.relocate(mover, |_| {});
            });
            (seen, next)
        })
    }

    /// Saves a field that is about to change.
    #[cold]
    fn save(&self, hash: u64, name: &[u8]) {
        if let Some(field) = self.table.find(hash, name) {
            save(&self.sides, field);
        }
    }

    fn count_in(&mut self, field: &Field) {
        self.bytes += field.allocated_bytes();
        self.note_expiry(field.expire_at());
    }

    fn count_out(&mut self, field: &Field) {
        self.bytes -= field.allocated_bytes();
        self.expiring -= usize::from(field.expire_at().is_some());
    }

    fn note_expiry(&mut self, at: Option<Millis>) {
        self.sweep.note(at, self.expiring == 0);
        self.expiring += usize::from(at.is_some());
    }
}

/// Saves a field that is about to change.
#[cold]
fn save(sides: &Sides, field: &Field) {
    let fragment = Fragment::Field(field.key(), value_of(field), field.expire_at());
    field.set_epoch(sides.raise(field.epoch(), |side| side.save(fragment)));
}

impl Fragmented for Fields {
    fn sides(&self) -> &Sides {
        &self.sides
    }

    fn sides_mut(&mut self) -> &mut Sides {
        &mut self.sides
    }

    fn outline(&self) -> Outline {
        Outline { kind: Kind::Hash, len: self.len(), soonest: self.soonest() }
    }

    fn heap_bytes(&self) -> usize {
        Fields::heap_bytes(self)
    }

    fn save_some(&mut self, cut: u32, position: &mut Position) -> bool {
        position.advance(|cursor, step| {
            self.table.scan(cursor, |field| {
                let fragment = Fragment::Field(field.key(), value_of(field), field.expire_at());
                let raised = self.sides.raise_to(field.epoch(), cut, |side| side.save(fragment));
                field.set_epoch(raised);
                step.count(field.allocated_bytes());
            })
        })
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        if !self.sides.is_empty() {
            let (table, bytes) = (std::mem::take(&mut self.table), self.bytes);
            self.sides.hand_over(|sides| {
                let mut rest = Fields::default();
                (rest.table, rest.bytes, rest.sides) = (table, bytes, sides);
                Box::new(rest)
            });
        }
    }
}

impl Clone for Fields {
    fn clone(&self) -> Fields {
        let mut copy = Fields::default();
        for field in self {
            copy.insert(field.key(), value_of(field), field.expire_at());
        }
        copy
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Fields) -> bool {
        self.len() == other.len()
            && self.iter().all(|field| {
                other.get(field.key()).is_some_and(|twin| {
                    value_of(twin) == value_of(field) && twin.expire_at() == field.expire_at()
                })
            })
    }
}

impl Eq for Fields {}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a Field;
    type IntoIter = structures::Iter<'a, Infallible>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
