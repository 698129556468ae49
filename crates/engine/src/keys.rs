//! The keys a command has declared: the only way a handler reaches the keyspace.
//!
//! Looking a key up treats an expired one as absent; at a primary it is taken out there and then, and
//! its deletion is logged before the command's own effects. Asking for a key whose shard the command
//! has not declared is a bug of its row and finds nothing.

mod collection;
mod string;

pub(crate) use collection::edit;
pub use collection::{Edited, new_entry, view};
pub(crate) use string::new_value as new_text;
pub use string::{INLINE_BYTES_MAX, StringChange, Text};

use crate::access::AccessClock;
use crate::effects::Event;
use crate::error::CommandError;
use crate::node::Node;
use base::Millis;
use keyspace::{Change, Entry, Keyspace, LockSet, Shard};
use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::Ordering;
use structures::NewValue;
use values::{Kind, Object};

/// The type tag of strings in an entry.
pub const TAG_STRING: u8 = 0;

/// The type of an entry's value.
pub fn kind_of(entry: &Entry) -> Kind {
    Kind::of_tag(entry.tag()).0
}

/// The name that TYPE answers for an entry.
pub fn type_name(entry: &Entry) -> Cow<'static, str> {
    match crate::image::opaque(entry) {
        Some(value) => value.type_name().into(),
        None => kind_of(entry).name().into(),
    }
}

/// Keys that were looked up and not found are noted, for their events.
pub(crate) const NOTES_MISSES: u8 = 1;
/// Keys that were made are noted, for their events.
pub(crate) const NOTES_NEW: u8 = 2;
/// Keys that were changed are noted, for clients that cache them.
pub(crate) const NOTES_CHANGES: u8 = 4;

/// A key's place, computed once when the request was parsed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Its hash.
    pub hash: u64,
    /// Its shard.
    pub shard: u16,
}

impl Place {
    /// The place of `key`.
    #[inline]
    pub fn of(key: &[u8]) -> Place {
        Place { hash: Keyspace::hash(key), shard: Keyspace::shard_of(key) }
    }
}

/// The shards a command holds. A trait only to hide how long the locks live from handlers.
pub(crate) trait Held {
    fn shard(&mut self, index: u16) -> Option<&mut Shard>;
    fn release(&mut self);
}

impl Held for LockSet<'_> {
    #[inline]
    fn shard(&mut self, index: u16) -> Option<&mut Shard> {
        LockSet::shard(self, index)
    }

    fn release(&mut self) {
        LockSet::release(self);
    }
}

/// Access to the declared keys of one database.
pub struct Keys<'a> {
    node: &'a Node,
    locks: &'a mut (dyn Held + 'a),
    /// The database.
    pub db: u32,
    now: Millis,
    /// Expired keys are taken out rather than only passed over.
    expires: bool,
    touches: bool,
    /// This is the primary's own stream, or a file: expired keys are found as if they were not, for it
    /// deletes them.
    shows_expired: bool,
    /// What is noted (`NOTES_*`).
    notes: u8,
    first: Option<(&'a [u8], Place)>,
    left: Leftover,
}

/// Members of the set or sorted set at `key` that were found expired and taken out.
#[derive(Debug)]
pub(crate) struct EndedMembers {
    pub(crate) db: u32,
    pub(crate) key: Box<[u8]>,
    pub(crate) kind: Kind,
    pub(crate) members: Vec<Vec<u8>>,
    /// They were the last, and the key is gone.
    pub(crate) emptied: bool,
}

/// What a command leaves behind besides its declared effects.
#[derive(Debug, Default)]
pub(crate) struct Leftover {
    /// Keys looked up and found.
    pub(crate) hits: u64,
    /// Keys looked up and not found.
    pub(crate) misses: u64,
    /// What few commands meet.
    pub(crate) noted: Option<Box<Noted>>,
}

impl Leftover {
    /// Notes of a key that was missed that it `ends`, to be taken out, or that events tell of it.
    #[cold]
    fn note_miss(&mut self, db: u32, key: &[u8], ends: bool, tells: bool) {
        if ends {
            self.noted().lapsed.push((db, key.into()));
        }
        if tells {
            self.noted().events.push((db, Event::KeyMiss, key.into()));
        }
    }

    #[cold]
    fn noted(&mut self) -> &mut Noted {
        self.noted.get_or_insert_default()
    }
}

/// Keys that something is to be done about.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    lapsed: Vec<(u32, Box<[u8]>)>,
    /// Keys found expired and taken out.
    pub(crate) expired: Vec<(u32, Box<[u8]>)>,
    /// Members of sets and sorted sets found expired and taken out.
    pub(crate) ended: Vec<EndedMembers>,
    /// Keys that were missed or made, in this order.
    pub(crate) events: Vec<(u32, Event, Box<[u8]>)>,
    /// Keys that were changed.
    pub(crate) changed: Vec<Box<[u8]>>,
}

impl fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("db", &self.db).finish_non_exhaustive()
    }
}

impl<'a> Keys<'a> {
    /// Access through `locks`; `first` is the place of the first key if it is already known.
    #[inline]
    pub(crate) fn new(
        node: &'a Node,
        locks: &'a mut (dyn Held + 'a),
        db: u32,
        now: Millis,
        first: Option<(&'a [u8], Place)>,
    ) -> Keys<'a> {
        let expires = node.expires();
        let (notes, left) = (node.noted(), Leftover::default());
        let (touches, shows_expired) = (true, false);
        Keys { node, locks, db, now, expires, touches, shows_expired, notes, first, left }
    }

    /// Reads leave access clocks alone.
    pub(crate) fn without_touching(&mut self) {
        self.touches = false;
    }

    /// Keys that a command which writes finds expired are taken out although writes are paused: it is in the
    /// log already that they end, or the log would lack it.
    #[cold]
    pub(crate) fn ending_in_a_pause(&mut self) {
        self.expires = self.node.originates() && !self.node.loading.load(Ordering::Acquire);
    }

    /// Whether keys that are found expired are taken out.
    #[inline]
    pub fn expires(&self) -> bool {
        self.expires
    }

    /// Expired keys are found: only their primary's stream says when they end.
    pub(crate) fn showing_expired(&mut self) {
        self.shows_expired = true;
    }

    /// What is left to be done. Keys that a lookup found expired are taken out here.
    #[inline]
    pub(crate) fn finish(mut self) -> Leftover {
        if self.left.noted.is_some() {
            for (db, key) in std::mem::take(&mut self.left.noted().lapsed) {
                let _taken_out = self.shard(db, &key).is_some();
            }
        }
        self.left
    }

    /// Notes that `key` was missed or made, if that is wanted.
    #[inline]
    fn note(&mut self, wanted: u8, db: u32, event: Event, key: &[u8]) {
        if self.notes & wanted != 0 {
            self.left.noted().events.push((db, event, key.into()));
        }
    }

    /// Notes that `key` is changed, if that is wanted and it is there.
    #[inline]
    fn note_change(&mut self, key: &[u8]) {
        if self.notes & NOTES_CHANGES != 0 && self.peek(key).is_some() {
            self.left.noted().changed.push(key.into());
        }
    }

    #[inline]
    fn place(&self, key: &[u8]) -> Place {
        match self.first {
            Some((known, place)) if std::ptr::eq(known, key) => place,
            _ => Place::of(key),
        }
    }

    /// The shard of `key`, without a key that has expired.
    #[inline]
    fn shard(&mut self, db: u32, key: &[u8]) -> Option<(&mut Shard, u64)> {
        let Place { hash, shard } = self.place(key);
        let shard = self.locks.shard(shard)?;
        let at = shard.find(db, hash, key).and_then(Entry::expire_at);
        if at.is_some_and(|at| at <= self.now) && !self.shows_expired {
            if self.expires {
                if let Some(entry) = shard.remove(db, hash, key) {
                    let behind = self.node.settings.lazyfree_lazy_expire.get();
                    self.node.lazyfree.entry(entry, behind);
                }
                self.left.noted().expired.push((db, key.into()));
            } else {
                return None;
            }
        }
        Some((shard, hash))
    }

    /// Takes members out of a set or sorted set (`kind`) that have ended, at a node that does so; fields of
    /// a hash are only passed over. One look, unless something in the shard has ended lately.
    #[inline]
    fn end_members(&mut self, key: &[u8], kind: Kind) {
        if !matches!(kind, Kind::Set | Kind::SortedSet) || !self.expires || self.shows_expired {
            return;
        }
        let (db, now, place) = (self.db, self.now, self.place(key));
        let Some(shard) = self.locks.shard(place.shard) else { return };
        if shard.db(db).is_some_and(|db| db.may_have_expired(now))
            && let Some((members, emptied)) = shard.end_members(db, place.hash, key, kind, now)
        {
            let key = key.into();
            self.left.noted().ended.push(EndedMembers { db, key, kind, members, emptied });
        }
    }

    /// The entry of `key`, counted as a hit or a miss, its access clock set.
    #[inline]
    pub fn find(&mut self, key: &[u8]) -> Option<&Entry> {
        self.look(key, self.touches)
    }

    /// The entry of `key`, counted as a hit or a miss, its access clock left alone: for commands
    /// that ask about a key and not for its value.
    #[inline]
    pub fn find_untouched(&mut self, key: &[u8]) -> Option<&Entry> {
        self.look(key, false)
    }

    #[inline]
    fn look(&mut self, key: &[u8], touches: bool) -> Option<&Entry> {
        let (db, clock) = (self.db, self.node.access_clock());
        let Place { hash, shard } = self.place(key);
        let found = self.locks.shard(shard)?.find(db, hash, key);
        let at = found.and_then(Entry::expire_at);
        let lapsed = at.is_some_and(|at| at <= self.now) && !self.shows_expired;
        let Some(entry) = found.filter(|_| !lapsed) else {
            self.left.misses += 1;
            let (ends, notes) = (lapsed && self.expires, self.notes & NOTES_MISSES != 0);
            if ends || notes {
                self.left.note_miss(db, key, ends, notes);
            }
            return None;
        };
        self.left.hits += 1;
        if touches {
            entry.set_access(clock.touched(entry.access()));
        }
        Some(entry)
    }

    /// The entry of `key`, neither counted nor touched.
    pub fn peek(&mut self, key: &[u8]) -> Option<&Entry> {
        self.peek_in(self.db, key)
    }

    /// The entry of `key` in another database (its shard is the same).
    pub fn peek_in(&mut self, db: u32, key: &[u8]) -> Option<&Entry> {
        let (shard, hash) = self.shard(db, key)?;
        shard.find(db, hash, key)
    }

    /// The entry of `key`, to be changed.
    pub fn change(&mut self, key: &[u8]) -> Option<Change<'_>> {
        let db = self.db;
        let clock = self.node.access_clock();
        self.note_change(key);
        let (shard, hash) = self.shard(db, key)?;
        let change = shard.change(db, hash, key)?;
        change.entry().set_access(clock.touched(change.entry().access()));
        Some(change)
    }

    /// Puts a value at `key`, whatever was there. True if something was.
    pub fn put(&mut self, key: &[u8], value: NewValue<'_, Object>, at: Option<Millis>) -> bool {
        self.put_entry(self.db, Entry::new(key, value, at))
    }

    /// Puts a whole entry in database `db`. True if something had its key.
    pub fn put_entry(&mut self, db: u32, entry: Entry) -> bool {
        let clock = self.node.access_clock();
        let place = Place::of(entry.key());
        if self.notes & (NOTES_NEW | NOTES_CHANGES) != 0 {
            self.note_put(db, entry.key());
        }
        let Some(shard) = self.locks.shard(place.shard) else { return false };
        entry.set_access(access_of_new(shard, clock, db, place, entry.key()));
        let old = shard.insert(db, place.hash, entry);
        old.is_some_and(|old| self.overwritten(db, old))
    }

    /// Frees what was overwritten; one that had expired ends as any other does. False for such a one.
    #[inline]
    fn overwritten(&mut self, db: u32, old: Entry) -> bool {
        let held = old.expire_at().is_none_or(|at| at > self.now);
        if !held && self.expires && !self.shows_expired {
            self.left.noted().expired.push((db, old.key().into()));
        }
        self.node.lazyfree.entry(old, self.node.settings.lazyfree_lazy_server_del.get());
        held
    }

    /// Notes that something is about to be put at `key`.
    #[cold]
    fn note_put(&mut self, db: u32, key: &[u8]) {
        if self.notes & NOTES_CHANGES != 0 {
            self.left.noted().changed.push(key.into());
        }
        if self.peek_in(db, key).is_none() {
            self.note(NOTES_NEW, db, Event::New, key);
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let db = self.db;
        self.note_change(key);
        let (shard, hash) = self.shard(db, key)?;
        shard.remove(db, hash, key)
    }

    /// Sets or removes the expiry of `key`; false if there is no such key.
    pub fn set_expire_at(&mut self, key: &[u8], at: Option<Millis>) -> bool {
        let db = self.db;
        self.note_change(key);
        self.shard(db, key).is_some_and(|(shard, hash)| shard.set_expire_at(db, hash, key, at))
    }

    /// The string at `key`, if there is one.
    ///
    /// # Errors
    /// `WrongType` if the key holds another type.
    #[inline]
    pub fn string(&mut self, key: &[u8]) -> Result<Option<Text<'_>>, CommandError> {
        self.find(key).map(Text::of).transpose()
    }

    /// The string at `key`, not counted as a hit or a miss.
    ///
    /// # Errors
    /// `WrongType` if the key holds another type.
    pub fn peek_string(&mut self, key: &[u8]) -> Result<Option<Text<'_>>, CommandError> {
        self.peek(key).map(Text::of).transpose()
    }

    /// Puts a string at `key`, in the smallest form. True if something was there.
    #[inline]
    pub fn put_string(&mut self, key: &[u8], text: &[u8], at: Option<Millis>) -> bool {
        let place = self.place(key);
        let (db, clock) = (self.db, self.node.access_clock());
        if self.notes & (NOTES_NEW | NOTES_CHANGES) != 0 {
            self.note_put(db, key);
        }
        let Some(shard) = self.locks.shard(place.shard) else { return false };
        let entry = Entry::new(key, string::new_value(text), at);
        entry.set_access(access_of_new(shard, clock, db, place, key));
        let old = shard.insert(db, place.hash, entry);
        old.is_some_and(|old| self.overwritten(db, old))
    }

    /// The string at `key` to be changed, an empty one if there is none; expiry stays.
    ///
    /// # Errors
    /// `WrongType` if the key holds another type.
    pub fn write_string(&mut self, key: &[u8]) -> Result<StringChange<'_>, CommandError> {
        let (db, clock) = (self.db, self.node.access_clock());
        let len_max = self.string_bytes_max();
        let place = self.place(key);
        if self.notes & (NOTES_NEW | NOTES_CHANGES) != 0 {
            self.note_put(db, key);
        }
        // What has expired but is kept (at a replica, or during a pause) is begun anew as well.
        if self.shard(db, key).is_none_or(|(shard, hash)| shard.find(db, hash, key).is_none()) {
            let entry = Entry::new(key, NewValue::Bytes(b""), None);
            entry.set_access(clock.fresh());
            if let Some(shard) = self.locks.shard(place.shard) {
                shard.insert(db, place.hash, entry);
            }
        }
        let shard = self.locks.shard(place.shard).ok_or(CommandError::NoSuchKey)?;
        let change = shard.change(db, place.hash, key).ok_or(CommandError::NoSuchKey)?;
        change.entry().set_access(clock.touched(change.entry().access()));
        StringChange::new(change, len_max)
    }

    /// How long a string may become: `proto-max-bulk-len` says it to clients. What the primary could hold,
    /// or an append-only file tells, is held.
    pub fn string_bytes_max(&self) -> usize {
        if self.shows_expired {
            return usize::MAX;
        }
        usize::try_from(self.node.settings.proto_max_bulk_len.get()).unwrap_or(0)
    }

    /// A shard that the command holds or, with the whole keyspace, may take.
    pub fn shard_at(&mut self, index: u16) -> Option<&mut Shard> {
        self.locks.shard(index)
    }

    /// Lets shards go that were only looked through.
    pub fn release(&mut self) {
        self.locks.release();
    }

    /// The time by which fields of hashes count as ended: zero, so that none does, in the primary's own
    /// stream, which says when they end.
    #[inline]
    pub fn fields_now(&self) -> Millis {
        if self.shows_expired { Millis(0) } else { self.now }
    }

    /// Unix time at which the command began.
    pub fn now(&self) -> Millis {
        self.now
    }
}

/// The access word of a value that is put at `key`: uses that are counted are the key's, not the
/// value's.
#[inline]
fn access_of_new(shard: &Shard, clock: AccessClock, db: u32, place: Place, key: &[u8]) -> u32 {
    let old = if clock.is_lfu() { shard.find(db, place.hash, key) } else { None };
    old.map_or_else(|| clock.fresh(), |old| clock.touched(old.access()))
}
