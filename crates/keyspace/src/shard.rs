//! A shard: its part of every database, with what must be told before and after a key changes.
//!
//! All changes of entries go through the methods here, because each must, in this order: save the
//! entry for snapshot walks that still need it, change it, keep the count of volatile keys and the
//! lower bound of the next expiry right, and set the flags of transactions that watch the key.

use crate::Entry;
use crate::db::{Databases, Db, Ends, NEVER, Presence};
use crate::walk::{Visitor, Walk};
use crate::watch::{WatchFlag, Watchers};
use base::Millis;
use base::random::Random;
use smallvec::SmallVec;
use std::sync::Arc;
use structures::KeyHash;
use structures::{NewValue, ValueMut, ValueRef};
use values::fragment::{Fragmented, Side};
use values::{Kind, Object};

/// Buckets of a hash's fields that are looked through at once for ended ones.
const FIELD_BUCKETS: usize = 1024;

/// What has ended.
#[derive(Debug)]
pub enum Ended<'a> {
    /// A key, which has been taken out, to be freed elsewhere.
    Key(Entry),
    /// Fields of a hash or members of a set or sorted set, which have been taken out.
    Fields {
        /// The key.
        key: &'a [u8],
        /// Which of the three.
        kind: Kind,
        /// The fields, at least one.
        fields: &'a [Vec<u8>],
        /// They were the last, and the key has been taken out as well.
        emptied: bool,
    },
}

/// A key whose fields or members have ended, and whether they were the last.
struct Lost {
    key: Vec<u8>,
    kind: Kind,
    fields: Vec<Vec<u8>>,
    emptied: bool,
}

/// An entry that may be changed: it has been saved for every walk that needs it. When that is over, its
/// database knows whether something in it ends sooner than before.
#[derive(Debug)]
pub struct Change<'a> {
    entry: &'a mut Entry,
    ends: &'a mut Ends,
}

impl Drop for Change<'_> {
    #[inline]
    fn drop(&mut self) {
        self.ends.note(end_of_fields(self.entry));
    }
}

impl Change<'_> {
    /// The entry as it is.
    pub fn entry(&self) -> &Entry {
        self.entry
    }

    /// The value in place.
    pub fn value_mut(&mut self) -> ValueMut<'_, Object> {
        self.entry.value_mut()
    }

    /// Replaces the value; key and expiry stay.
    pub fn set_value(&mut self, value: NewValue<'_, Object>) {
        self.entry.set_value(value);
    }

    /// Replaces the value by one of another type or form.
    pub fn set_tagged(&mut self, tag: u8, value: NewValue<'_, Object>) {
        self.entry.set_value(value);
        self.entry.set_tag(tag);
    }
}

/// One shard of the keyspace.
#[derive(Debug, Default)]
pub struct Shard {
    pub(crate) dbs: Databases,
    walks: SmallVec<[Arc<Walk>; 1]>,
    watchers: Watchers,
}

impl Shard {
    /// The database's part here; `None` if it holds no key.
    #[inline]
    pub fn db(&self, db: u32) -> Option<&Db> {
        self.dbs.get(db)
    }

    /// The databases that hold keys here, with their numbers, ascending.
    pub fn dbs(&self) -> impl Iterator<Item = (u32, &Db)> {
        self.dbs.iter()
    }

    /// The first database from number `from` on that holds a key here.
    pub fn next_db(&self, from: u32) -> Option<u32> {
        self.dbs.next(from)
    }

    /// Hints to the processor that `hash` will be looked up soon: its bucket.
    #[inline]
    pub fn prefetch_bucket(&self, db: u32, hash: u64) {
        if let Some(db) = self.dbs.get(db) {
            db.table.prefetch_bucket(hash);
        }
    }

    /// Hints to the processor that `hash` will be looked up soon: the entries its bucket names.
    #[inline]
    pub fn prefetch_entry(&self, db: u32, hash: u64) {
        if let Some(db) = self.dbs.get(db) {
            db.table.prefetch_entry(hash);
        }
    }

    /// The entry of `key`, expired or not. O(1).
    #[allow(
        clippy::inline_always,
        reason = "every command's way to its key: a call costs 30 instructions"
    )]
    #[inline(always)]
    pub fn find(&self, db: u32, hash: u64, key: &[u8]) -> Option<&Entry> {
        self.dbs.get(db)?.table.find(hash, key)
    }

    /// The entry of `key`, to be changed.
    pub fn change(&mut self, db: u32, hash: u64, key: &[u8]) -> Option<Change<'_>> {
        let Db { table, ends, .. } = self.dbs.get_mut(db)?;
        let entry = table.find_mut(hash, key)?;
        raise(&self.walks, db, entry);
        self.watchers.changed(db, key);
        Some(Change { entry, ends })
    }

    /// Puts `entry` in, giving back what had its key.
    pub fn insert(&mut self, db: u32, hash: u64, entry: Entry) -> Option<Entry> {
        self.watchers.changed(db, entry.key());
        if let Some(newest) = self.walks.last() {
            entry.set_epoch(newest.cut);
            if let Some(old) =
                self.dbs.get_mut(db).and_then(|db| db.table.find_mut(hash, entry.key()))
            {
                raise(&self.walks, db, old);
            }
        }
        if let ValueRef::Boxed(object) = entry.value()
            && let Some(collection) = object.fragmented()
        {
            collection.sides().moved(entry.key());
        }
        let (after, of_fields) = (entry.expire_at(), end_of_fields(&entry));
        let place = self.dbs.get_or_make(db);
        place.ends.note(of_fields);
        let old = place.table.insert(hash, entry, &KeyHash);
        place.note_expiry(old.as_ref().and_then(Entry::expire_at), after);
        old
    }

    /// Takes the entry of `key` out.
    pub fn remove(&mut self, db: u32, hash: u64, key: &[u8]) -> Option<Entry> {
        let place = self.dbs.get_mut(db)?;
        if !self.walks.is_empty()
            && let Some(entry) = place.table.find_mut(hash, key)
        {
            raise(&self.walks, db, entry);
        }
        let entry = place.table.remove(hash, key)?;
        place.note_expiry(entry.expire_at(), None);
        self.dbs.drop_empty(db);
        self.watchers.gone(db, key);
        Some(entry)
    }

    /// Sets or removes the expiry of `key`; false if there is no such key.
    pub fn set_expire_at(&mut self, db: u32, hash: u64, key: &[u8], at: Option<Millis>) -> bool {
        let Some(place) = self.dbs.get_mut(db) else { return false };
        let Some(entry) = place.table.find_mut(hash, key) else { return false };
        raise(&self.walks, db, entry);
        let before = entry.expire_at();
        entry.set_expire_at(at);
        place.note_expiry(before, at);
        self.watchers.changed(db, key);
        true
    }

    /// Takes members out of the collection of type `kind` at `key` that have ended by `now`, and the key
    /// with the last. Gives the members, and whether the key is gone.
    pub fn end_members(
        &mut self,
        db: u32,
        hash: u64,
        key: &[u8],
        kind: Kind,
        now: Millis,
    ) -> Option<(Vec<Vec<u8>>, bool)> {
        let entry = self.find(db, hash, key)?;
        let soonest = end_of_fields(entry).filter(|_| Kind::of_tag(entry.tag()).0 == kind);
        soonest.filter(|&at| at <= now)?;
        let (mut members, mut emptied) = (Vec::new(), false);
        let mut change = self.change(db, hash, key)?;
        while let ValueMut::Boxed(object) = change.value_mut() {
            let swept = object.sweep(now, FIELD_BUCKETS, |member| members.push(member.to_vec()));
            emptied = object.is_empty();
            // A pass that an earlier look had begun has gone by what ended since: then it takes another one.
            if swept && object.soonest().is_none_or(|at| at > now) {
                break;
            }
        }
        drop(change);
        if emptied {
            self.remove(db, hash, key);
        }
        (!members.is_empty()).then_some((members, emptied))
    }

    /// Visits some entries, as SCAN does: pass 0 first, then what it returns, until that is 0.
    pub fn scan(&self, db: u32, cursor: u64, visit: impl FnMut(&Entry)) -> u64 {
        self.dbs.get(db).map_or(0, |db| db.table.scan(cursor, visit))
    }

    /// A key chosen about evenly.
    pub fn random(&self, db: u32, random: &mut Random) -> Option<&Entry> {
        self.dbs.get(db)?.table.random(random)
    }

    /// Takes out what has expired by `now` among some entries and their fields; continues from `cursor`
    /// as SCAN does. Stands between `begin_expiry_pass` and `end_expiry_pass`; the pass is over at a
    /// result of 0.
    pub fn drain_expired(
        &mut self,
        db: u32,
        cursor: u64,
        now: Millis,
        soonest: &mut Millis,
        mut ended: impl FnMut(Ended<'_>),
    ) -> u64 {
        let Some(place) = self.dbs.get_mut(db) else { return 0 };
        let (walks, watchers) = (&self.walks, &self.watchers);
        let mut lost: Vec<Lost> = Vec::new();
        let expired = |entry: &mut Entry| {
            if entry.expire_at().is_some_and(|at| at <= now) {
                raise(walks, db, entry);
                return true;
            }
            if end_of_fields(entry).is_some_and(|at| at <= now) {
                raise(walks, db, entry);
                let mut fields = Vec::new();
                let emptied = sweep(entry, now, &mut fields);
                if !fields.is_empty() {
                    watchers.changed(db, entry.key());
                    let kind = Kind::of_tag(entry.tag()).0;
                    lost.push(Lost { key: entry.key().to_vec(), kind, fields, emptied });
                }
                if emptied {
                    return true;
                }
            }
            for at in [entry.expire_at(), end_of_fields(entry)].into_iter().flatten() {
                *soonest = (*soonest).min(at);
            }
            false
        };
        let mut count = 0;
        let mut gone = Vec::new();
        let next = place.table.drain_where(cursor, expired, |entry| {
            count += usize::from(entry.expire_at().is_some());
            gone.push(entry);
        });
        place.volatile -= count;
        self.dbs.drop_empty(db);
        for entry in &gone {
            self.watchers.gone(db, entry.key());
        }
        for Lost { key, kind, fields, emptied } in &lost {
            ended(Ended::Fields { key, kind: *kind, fields, emptied: *emptied });
        }
        for entry in gone {
            if !lost.iter().any(|lost| lost.key == entry.key()) {
                ended(Ended::Key(entry));
            }
        }
        next
    }

    /// Begins a pass of `drain_expired` over a whole database. The bound of the next expiry stays
    /// as it is until the pass has come to its end, for it may be given up before.
    pub fn begin_expiry_pass(&mut self, db: u32) {
        if let Some(place) = self.dbs.get_mut(db) {
            place.ends.gathered = Some(NEVER);
        }
    }

    /// Ends a pass, in which `soonest` was the least expiry left: the bound is exact again. It stays
    /// as it was if the database was exchanged or emptied during the pass.
    pub fn end_expiry_pass(&mut self, db: u32, soonest: Millis) {
        if let Some(place) = self.dbs.get_mut(db)
            && let Some(gathered) = place.ends.gathered.take()
        {
            place.ends.soonest = gathered.min(soonest);
        }
    }

    /// Empties database `db`, giving its entries back to be freed elsewhere.
    pub fn clear(&mut self, db: u32) -> Option<Db> {
        self.settle(db);
        let old = self.dbs.take(db)?;
        self.watchers.exchanged(db, |key| (old.presence(key, Millis(0)), Presence::Absent));
        Some(old)
    }

    /// Exchanges two databases; `now` tells those who watch keys there which have expired.
    pub fn swap(&mut self, one: u32, other: u32, now: Millis) {
        self.settle(one);
        self.settle(other);
        self.dbs.swap(one, other);
        let (left, right) = (self.dbs.get(one), self.dbs.get(other));
        for (db, before, after) in [(one, right, left), (other, left, right)] {
            let in_one = |place: Option<&Db>, key: &[u8]| {
                place.map_or(Presence::Absent, |place| place.presence(key, now))
            };
            self.watchers.exchanged(db, |key| (in_one(before, key), in_one(after, key)));
        }
    }

    /// Puts a whole database in place of `db`'s, as a loaded snapshot does.
    pub fn replace(&mut self, db: u32, mut new: Db, now: Millis) -> Db {
        self.settle(db);
        new.ends.gathered = None;
        if let Some(newest) = self.walks.last() {
            // What comes in was not there at any cut.
            let mut cursor = new.table.scan_mut(0, |entry| entry.set_epoch(newest.cut));
            while cursor != 0 {
                cursor = new.table.scan_mut(cursor, |entry| entry.set_epoch(newest.cut));
            }
        }
        let old = self.dbs.take(db).unwrap_or_default();
        let here = self.dbs.get_or_make(db);
        *here = new;
        self.watchers.exchanged(db, |key| (old.presence(key, now), here.presence(key, now)));
        self.dbs.drop_empty(db);
        old
    }

    /// Sets `flag` when `key` changes. If it has expired by `now`, that it goes is no change.
    pub fn watch(&mut self, db: u32, key: &[u8], flag: &WatchFlag, now: Millis) {
        let presence = self.db(db).map_or(Presence::Absent, |place| place.presence(key, now));
        self.watchers.add(db, key, flag, presence == Presence::Expired);
    }

    /// Whether a watched key has expired by `now`, and had not when it was watched.
    pub fn has_expired_watched(&self, db: u32, key: &[u8], flag: &WatchFlag, now: Millis) -> bool {
        let presence = self.db(db).map_or(Presence::Absent, |place| place.presence(key, now));
        presence == Presence::Expired && !self.watchers.had_expired(db, key, flag)
    }

    /// Ends `watch`.
    pub fn unwatch(&mut self, db: u32, key: &[u8], flag: &WatchFlag) {
        self.watchers.remove(db, key, flag);
    }

    /// Enters a walk, at its cut.
    pub(crate) fn join(&mut self, walk: &Arc<Walk>) {
        self.walks.push(Arc::clone(walk));
    }

    /// Ends a walk's business here.
    pub(crate) fn leave(&mut self, walk: &Arc<Walk>) {
        self.walks.retain(|other| !Arc::ptr_eq(other, walk));
    }

    /// Whether a walk has still business here.
    #[cfg(test)]
    pub(crate) fn is_walked(&self) -> bool {
        !self.walks.is_empty()
    }

    /// Saves some entries for `walk`, as SCAN visits them.
    pub(crate) fn walk_some(&mut self, walk: &Walk, db: u32, cursor: u64) -> u64 {
        let Some(place) = self.dbs.get_mut(db) else { return 0 };
        let walks = &self.walks;
        place.table.scan_mut(cursor, |entry| {
            raise_to(walks, db, entry, walk.cut, Visitor::Walk);
        })
    }

    /// The collection at `key`, in whatever database, on which `side` hangs.
    pub(crate) fn fragmented_mut(
        &mut self,
        hash: u64,
        key: &[u8],
        side: &Arc<dyn Side>,
    ) -> Option<&mut dyn Fragmented> {
        let is_it = |entry: &Entry| match entry.value() {
            ValueRef::Boxed(object) => object.fragmented().is_some_and(|one| one.sides().has(side)),
            _ => false,
        };
        let is_in = |db: &Db| db.table.find(hash, key).is_some_and(is_it);
        let db = self.dbs().find_map(|(number, db)| is_in(db).then_some(number))?;
        match self.dbs.get_mut(db)?.table.find_mut(hash, key)?.value_mut() {
            ValueMut::Boxed(object) => object.fragmented_mut(),
            _ => None,
        }
    }

    /// Saves every entry of `db` for the walks that still need it.
    fn settle(&mut self, db: u32) {
        let Some(place) = self.dbs.get_mut(db) else { return };
        let mut cursor = 0;
        while !self.walks.is_empty() {
            cursor = place.table.scan_mut(cursor, |entry| raise(&self.walks, db, entry));
            if cursor == 0 {
                break;
            }
        }
    }
}

/// When a field or member of `entry` ends at the soonest.
#[inline]
fn end_of_fields(entry: &Entry) -> Option<Millis> {
    match entry.value() {
        ValueRef::Boxed(object) => object.soonest(),
        _ => None,
    }
}

/// Takes ended fields or members out. Whether none is left.
fn sweep(entry: &mut Entry, now: Millis, fields: &mut Vec<Vec<u8>>) -> bool {
    let ValueMut::Boxed(object) = entry.value_mut() else { return false };
    object.sweep(now, FIELD_BUCKETS, |field| fields.push(field.to_vec()));
    object.is_empty()
}

/// Saves `entry` for every walk that needs it, before it is changed.
#[inline]
fn raise(walks: &[Arc<Walk>], db: u32, entry: &mut Entry) {
    if let Some(newest) = walks.last() {
        raise_to(walks, db, entry, newest.cut, Visitor::Writer);
    }
}

fn raise_to(walks: &[Arc<Walk>], db: u32, entry: &mut Entry, epoch: u32, visitor: Visitor) {
    let from = entry.epoch();
    if from >= epoch {
        return;
    }
    for walk in walks {
        if from < walk.cut && walk.cut <= epoch && !walk.is_aborted() {
            walk.save(db, entry, visitor);
        }
    }
    entry.set_epoch(epoch);
}
