//! The databases of a shard. One that holds no key here is none: it has no memory, so that a shard costs
//! what its keys cost, and keys that go give all of it back.
//!
//! Nearly every shard holds keys of one database, which stands in the shard itself; of several, each is
//! found by its number among a few.

use crate::Entry;
use base::Millis;
use smallvec::SmallVec;
use std::fmt;
use structures::{KeyHash, Table};
use values::Object;

/// "No key expires."
pub(crate) const NEVER: Millis = Millis(u64::MAX);

/// One database's part in one shard.
pub struct Db {
    pub(crate) table: Table<Object>,
    /// How many entries have an expiry.
    pub(crate) volatile: usize,
    pub(crate) ends: Ends,
}

/// When the first thing of a database's part ends.
#[derive(Debug)]
pub(crate) struct Ends {
    /// No entry, nor element of an entry, expires before this.
    pub(crate) soonest: Millis,
    /// While a pass over the expired is under way: the least expiry set since it began.
    pub(crate) gathered: Option<Millis>,
}

impl Ends {
    /// Something ends at `at`.
    #[inline]
    pub(crate) fn note(&mut self, at: Option<Millis>) {
        if let Some(at) = at {
            self.soonest = self.soonest.min(at);
            self.gathered = self.gathered.map(|least| least.min(at));
        }
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("keys", &self.table.len()).finish_non_exhaustive()
    }
}

impl Default for Db {
    fn default() -> Db {
        let ends = Ends { soonest: NEVER, gathered: None };
        Db { table: Table::new(), volatile: 0, ends }
    }
}

impl Db {
    /// The number of keys.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// The number of keys with an expiry.
    pub fn volatile(&self) -> usize {
        self.volatile
    }

    /// The entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.table.iter()
    }

    /// Whether a key may have expired by `now`.
    pub fn may_have_expired(&self, now: Millis) -> bool {
        self.ends.soonest <= now
    }

    /// Whether `key` is there, and has expired by `now`.
    pub(crate) fn presence(&self, key: &[u8], now: Millis) -> Presence {
        match self.table.find(KeyHash::of(key), key).map(Entry::expire_at) {
            None => Presence::Absent,
            Some(Some(at)) if at <= now => Presence::Expired,
            Some(_) => Presence::Live,
        }
    }

    /// An entry's expiry was `before` and is `after`.
    pub(crate) fn note_expiry(&mut self, before: Option<Millis>, after: Option<Millis>) {
        self.volatile =
            self.volatile + usize::from(after.is_some()) - usize::from(before.is_some());
        self.ends.note(after);
    }
}

/// Whether a key is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Absent,
    /// It is, and waits to be taken out.
    Expired,
    Live,
}

/// The databases of a shard that hold keys, by ascending number.
#[derive(Debug, Default)]
pub(crate) struct Databases(SmallVec<[(u32, Db); 1]>);

impl Databases {
    fn find(&self, db: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&db, |(number, _)| *number)
    }

    #[inline]
    pub(crate) fn get(&self, db: u32) -> Option<&Db> {
        match self.0.first() {
            Some((number, place)) if *number == db => Some(place),
            _ => self.find(db).ok().map(|at| &self.0[at].1),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, db: u32) -> Option<&mut Db> {
        let at = self.find(db).ok()?;
        self.0.get_mut(at).map(|(_, place)| place)
    }

    /// The database of that number, which is to get a key.
    #[inline]
    pub(crate) fn get_or_make(&mut self, db: u32) -> &mut Db {
        let at = self.find(db).unwrap_or_else(|at| {
            self.0.insert(at, (db, Db::default()));
            at
        });
        &mut self.0[at].1
    }

    /// Gives a database's memory back if its last key has gone.
    #[inline]
    pub(crate) fn drop_empty(&mut self, db: u32) {
        if let Ok(at) = self.find(db)
            && self.0[at].1.is_empty()
        {
            self.remove(at);
        }
    }

    fn remove(&mut self, at: usize) -> Db {
        let (_, place) = self.0.remove(at);
        // Those that were many may be few again.
        if self.0.len() <= 1 {
            self.0.shrink_to_fit();
        }
        place
    }

    pub(crate) fn take(&mut self, db: u32) -> Option<Db> {
        self.find(db).ok().map(|at| self.remove(at))
    }

    /// Exchanges the numbers of two databases. A pass over the expired, which knows them by number, is
    /// given up.
    pub(crate) fn swap(&mut self, one: u32, other: u32) {
        for (number, place) in &mut self.0 {
            if *number == one || *number == other {
                *number = if *number == one { other } else { one };
                place.ends.gathered = None;
            }
        }
        self.0.sort_unstable_by_key(|(number, _)| *number);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Db)> {
        self.0.iter().map(|(number, place)| (*number, place))
    }

    /// The first number from `from` on.
    pub(crate) fn next(&self, from: u32) -> Option<u32> {
        let at = self.0.partition_point(|(number, _)| *number < from);
        self.0.get(at).map(|(number, _)| *number)
    }
}
