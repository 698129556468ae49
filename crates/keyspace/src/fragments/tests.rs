//! Large collections against a model: whatever becomes of them between the steps of walks, what is
//! recorded is what was there at the cut, and no member comes twice.

use super::*;
use crate::keyspace::{Reached, Stepped};
use crate::walk::{Recorder, Step, Visitor, WALKS_MAX};
use crate::{Db, Ended, Entry, LockSet, SHARD_COUNT, Shard};
use base::Millis;
use base::random::Random;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::thread;
use structures::{KeyHash, Mover, NewValue, ValueMut, ValueRef};
use values::fragment::{CHUNK_BYTES, Outline};
use values::{
    Collection, Hash, HashLimits, Kind, Object, Set, SetLimits, SortedSet, SortedSetLimits,
};

/// Databases in play.
const DBS: u32 = 3;
/// Members of a collection when it is made.
const MEMBERS: u32 = 2_000;

/// Members by name: the bits of a score or a number that is a value, and an expiry.
type Members = BTreeMap<Vec<u8>, (u64, Option<Millis>)>;
/// A kind and members; a string has one without a name.
type Value = (Kind, Arc<Members>);
type Model = BTreeMap<(u32, Vec<u8>), (Value, Option<Millis>)>;

fn kind_of(entry: &Entry) -> Kind {
    Kind::of_tag(entry.tag()).0
}

/// What is in an entry.
fn value_of(entry: &Entry) -> Value {
    let mut members = Members::new();
    match entry.value() {
        ValueRef::Int(number) => {
            members.insert(Vec::new(), (number.cast_unsigned(), None));
        }
        ValueRef::Boxed(Object::Text(text)) => {
            for (at, chunk) in text.chunks(CHUNK_BYTES).enumerate() {
                members.insert((at as u64).to_be_bytes().to_vec(), (KeyHash::of(chunk), None));
            }
        }
        ValueRef::Boxed(Object::SortedSet(set)) => {
            let set = set.as_ref();
            set.iter(0..set.len()).for_each(|(member, score)| {
                members.insert(member.to_vec(), (score.to_bits(), None));
            });
            set.expiring().for_each(|(member, at)| {
                members.get_mut(member).expect("a member").1 = Some(at);
            });
        }
        ValueRef::Boxed(Object::Hash(hash)) => hash.as_ref().each(|field, value, at| {
            members.insert(field.to_vec(), (number_of(&value.to_vec()), at));
        }),
        ValueRef::Boxed(Object::Set(set)) => {
            set.as_ref().iter().for_each(|member| {
                members.insert(member.to_vec(), (0, None));
            });
            set.as_ref().expiring().for_each(|(member, at)| {
                members.insert(member.to_vec(), (0, Some(at)));
            });
        }
        other => panic!("{other:?}"),
    }
    (kind_of(entry), Arc::new(members))
}

fn number_of(text: &[u8]) -> u64 {
    std::str::from_utf8(text).expect("a number").parse().expect("a number")
}

/// Keeps what it is given, and whether anything came twice.
#[derive(Debug, Default)]
struct Kept {
    entries: Model,
    twice: usize,
}

impl Kept {
    fn put(&mut self, db: u32, entry: &Entry, value: Value) {
        let place = (db, entry.key().to_vec());
        self.twice += usize::from(self.entries.insert(place, (value, entry.expire_at())).is_some());
    }
}

#[derive(Clone, Debug)]
struct Keep {
    kept: Arc<Mutex<Kept>>,
    begun: Arc<AtomicUsize>,
    /// Bytes that live for records alone.
    bytes: Arc<AtomicUsize>,
}

impl Default for Keep {
    fn default() -> Keep {
        let kept = Arc::new(Mutex::new(Rank::Spool, Kept::default()));
        Keep { kept, begun: Arc::default(), bytes: Arc::default() }
    }
}

#[derive(Debug)]
struct KeptRecord {
    keep: Keep,
    place: (u32, Vec<u8>),
    outline: Outline,
    bytes: AtomicUsize,
}

impl Recorder for Keep {
    fn record(&self, db: u32, entry: &mut Entry, _: Visitor) {
        self.kept.lock().put(db, entry, value_of(entry));
    }

    fn begin(&self, db: u32, entry: &Entry, outline: Outline) -> Arc<dyn Record> {
        self.kept.lock().put(db, entry, (outline.kind, Arc::default()));
        self.begun.fetch_add(1, Ordering::Relaxed);
        let place = (db, entry.key().to_vec());
        Arc::new(KeptRecord { keep: self.clone(), place, outline, bytes: AtomicUsize::new(0) })
    }

    fn is_full(&self) -> bool {
        false
    }
}

impl Record for KeptRecord {
    fn push(&self, fragment: Fragment<'_>) {
        let number;
        let (name, kept) = match fragment {
            Fragment::Chunk(at, chunk) => {
                self.bytes.fetch_add(chunk.len(), Ordering::Relaxed);
                number = (at as u64).to_be_bytes();
                (&number[..], (KeyHash::of(chunk), None))
            }
            Fragment::Scored(member, score, at) => (member, (score.to_bits(), at)),
            Fragment::Field(field, value, at) => {
                assert!(at.is_none_or(|at| self.outline.soonest.is_some_and(|least| least <= at)));
                (field, (number_of(value), at))
            }
            Fragment::Member(member, at) => (member, (0, at)),
        };
        let mut all = self.keep.kept.lock();
        let ((_, members), _) = all.entries.get_mut(&self.place).expect("it was begun");
        let members = Arc::get_mut(members).expect("nobody else has it");
        let is_twice = members.insert(name.to_vec(), kept).is_some();
        all.twice += usize::from(is_twice);
    }

    fn keep(&self, bytes: usize) {
        self.keep.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn let_go(&self, bytes: usize) {
        self.keep.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn take(&self) -> Vec<u8> {
        Vec::new()
    }

    fn db(&self) -> u32 {
        self.place.0
    }

    fn is_whole(&self) -> bool {
        let is_text = self.outline.kind == Kind::String;
        let members = self.keep.kept.lock().entries[&self.place].0.1.len();
        let len = if is_text { self.bytes.load(Ordering::Relaxed) } else { members };
        len == self.outline.len
    }
}

/// A walk under way, with what it must find.
struct Walking {
    walk: Arc<Walk>,
    reached: Reached,
    keep: Keep,
    expected: Model,
}

struct World {
    keyspace: Keyspace,
    model: Model,
    random: Random,
    now: Millis,
    walking: Vec<Walking>,
    /// Values that wait to be freed.
    limbo: Vec<Object>,
    finished: usize,
    begun: usize,
}

impl World {
    fn new(seed: u64) -> World {
        World {
            keyspace: Keyspace::new(2),
            model: Model::new(),
            random: Random::from_seed(seed),
            now: Millis(1_000),
            walking: Vec::new(),
            limbo: Vec::new(),
            finished: 0,
            begun: 0,
        }
    }

    fn below(&mut self, bound: u64) -> u32 {
        u32::try_from(self.random.below(bound)).expect("small")
    }

    /// Half of the keys share a shard.
    fn key(&mut self) -> Vec<u8> {
        let number = self.below(8);
        if number < 4 { format!("{{tag}}{number}") } else { format!("key{number}") }.into_bytes()
    }

    /// A place, more often than not one that holds something.
    fn place(&mut self) -> (u32, Vec<u8>) {
        if !self.model.is_empty() && !self.random.one_in(5) {
            let at = self.below(self.model.len() as u64) as usize;
            return self.model.keys().nth(at).expect("there are so many").clone();
        }
        (self.below(DBS.into()), self.key())
    }

    fn shard(&self, key: &[u8]) -> base::lock::MutexGuard<'_, Shard> {
        self.keyspace.lock(Keyspace::shard_of(key))
    }

    fn expiry(&mut self, one_in: u64) -> Option<Millis> {
        let span = u64::from(self.below(3_000));
        self.random.one_in(one_in).then(|| self.now + Millis(span + 1))
    }

    /// A new value: an integer, or a collection that is large or nearly so.
    fn entry(&mut self, key: &[u8]) -> Entry {
        let (what, number, at) = (self.below(11), self.below(1 << 20), self.expiry(8));
        let count = if self.random.one_in(8) { 150 } else { MEMBERS };
        let name = |number: u32| format!("member:{number:06}").into_bytes();
        let (kind, object) = match what {
            0 => return Entry::new(key, NewValue::Int(number.into()), at),
            1 => {
                let text = vec![b'a'; 200_000 + 100 * (number % 1_000) as usize];
                (Kind::String, Object::Text(text.into()))
            }
            2 | 3 => {
                let mut set = SortedSet::default();
                for number in 0..count {
                    set.insert(&name(number), f64::from(number % 97), SortedSetLimits::default());
                    if let Some(at) = self.expiry(20).filter(|_| what > 2) {
                        set.set_expire_at(&name(number), Some(at));
                    }
                }
                (Kind::SortedSet, set.into_object())
            }
            4..7 => {
                let mut set = Set::default();
                // A member takes a third of what it takes in the others.
                for number in 0..3 * count {
                    set.add(&name(number), SetLimits::default());
                    if let Some(at) = self.expiry(20).filter(|_| what > 5) {
                        set.set_expire_at(&name(number), Some(at));
                    }
                }
                let form = set.packed().map_or(0, |(form, _)| form);
                let mut entry = Entry::new(key, NewValue::Boxed(set.into_object()), at);
                entry.set_tag(Kind::Set.tag(form));
                return entry;
            }
            _ => {
                let mut hash = Hash::default();
                for number in 0..count {
                    let at = if what > 8 { self.expiry(20) } else { None };
                    let value = (u64::from(number) + 1_000_000).to_string();
                    hash.set(
                        &name(number),
                        value.as_bytes(),
                        at,
                        HashLimits { entries: 4, value: 64 },
                    );
                }
                (Kind::Hash, hash.into_object())
            }
        };
        let mut entry = Entry::new(key, NewValue::Boxed(object), at);
        entry.set_tag(kind.tag(0));
        entry
    }

    /// Puts `entry` in, as SET, RESTORE and RENAME do.
    fn put(&mut self, db: u32, entry: Entry) {
        let (key, value, at) = (entry.key().to_vec(), value_of(&entry), entry.expire_at());
        let old = self.shard(&key).insert(db, Keyspace::hash(&key), entry);
        let had = self.model.insert((db, key), (value, at));
        assert_eq!(old.is_some(), had.is_some());
        self.free(old);
    }

    /// Frees a value now, or later elsewhere.
    fn free(&mut self, entry: Option<Entry>) {
        if let Some(mut entry) = entry
            && self.random.one_in(2)
        {
            self.limbo.extend(entry.take_boxed().map(|boxed| *boxed));
        }
    }

    fn write(&mut self) {
        let (db, key) = self.place();
        let hash = Keyspace::hash(&key);
        match self.below(60) {
            0..9 => {
                let entry = self.entry(&key);
                self.put(db, entry);
            }
            9 => {
                let old = self.shard(&key).remove(db, hash, &key);
                assert_eq!(old.is_some(), self.model.remove(&(db, key)).is_some());
                self.free(old);
            }
            10..13 => self.rename(db, &key),
            13 => self.copy(db, &key),
            14 => self.convert(db, &key),
            15 => {
                let at = self.expiry(4);
                if self.shard(&key).set_expire_at(db, hash, &key, at) {
                    self.model.get_mut(&(db, key)).expect("both have it").1 = at;
                }
            }
            16 => self.relocate(db, &key),
            _ => {
                for _ in 0..20 {
                    self.edit(db, &key);
                }
            }
        }
    }

    /// Moves what lies in a shard to other places in memory, of large values not all at once.
    fn relocate(&mut self, db: u32, key: &[u8]) {
        let (mut mover, mut left, mut cursor, mut looked) = (Mover::of_all(), Vec::new(), 0, 0);
        let mut shard = self.shard(key);
        let keys = shard.db(db).map_or(0, Db::len);
        loop {
            let found = |was_moved: bool| {
                assert!(was_moved);
                looked += 1;
            };
            cursor = shard.relocate_some(db, cursor, 300, &mut mover, &mut left, found);
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(looked, keys);
        for mut value in left {
            let hash = Keyspace::hash(&value.key);
            while shard.relocate_more(hash, &mut value, 300, &mut mover) {}
        }
    }

    /// RENAME or MOVE.
    fn rename(&mut self, db: u32, key: &[u8]) {
        let (to_db, to) = self.place();
        let taken = self.shard(key).remove(db, Keyspace::hash(key), key);
        let Some(entry) = taken else { return };
        self.model.remove(&(db, key.to_vec()));
        if self.random.one_in(2) {
            self.put(to_db, entry.renamed(&to));
        } else {
            self.put(to_db, entry);
        }
    }

    fn copy(&mut self, db: u32, key: &[u8]) {
        let (to_db, to) = (self.below(DBS.into()), self.key());
        let shard = self.shard(key);
        let Some(entry) = shard.find(db, Keyspace::hash(key), key) else { return };
        let value = match entry.value() {
            ValueRef::Int(number) => NewValue::Int(number),
            ValueRef::Boxed(object) => NewValue::Boxed(object.clone()),
            ValueRef::Bytes(_) => panic!("no bytes are put in"),
        };
        let mut copy = Entry::new(&to, value, entry.expire_at());
        copy.set_tag(entry.tag());
        drop(shard);
        self.put(to_db, copy);
    }

    /// Another type in the place of a value.
    fn convert(&mut self, db: u32, key: &[u8]) {
        let number = self.below(1 << 20);
        let mut shard = self.keyspace.lock(Keyspace::shard_of(key));
        if let Some(mut change) = shard.change(db, Keyspace::hash(key), key) {
            change.set_tagged(Kind::String.tag(0), NewValue::Int(number.into()));
            let value = value_of(change.entry());
            self.model.get_mut(&(db, key.to_vec())).expect("both have it").0 = value;
        }
    }

    /// A change of one member or a few.
    fn edit(&mut self, db: u32, key: &[u8]) {
        let name = format!("member:{:06}", self.below(u64::from(MEMBERS) + 200)).into_bytes();
        let (what, number, at) = (self.below(6), self.below(1 << 10), self.expiry(3));
        let ranks = self.below(u64::from(MEMBERS)) as usize;
        let mut shard = self.keyspace.lock(Keyspace::shard_of(key));
        let Some(mut change) = shard.change(db, Keyspace::hash(key), key) else { return };
        let ((_, members), _) = self.model.get_mut(&(db, key.to_vec())).expect("both have it");
        match change.value_mut() {
            ValueMut::Boxed(Object::SortedSet(set)) => {
                let score = f64::from(number) - 500.0;
                edit_sorted_set(set, Arc::make_mut(members), what, name, (score, at, ranks));
            }
            ValueMut::Boxed(Object::Text(text)) => {
                let (from, len) = (number as usize * 150, text.len());
                let (start, end) = if what < 4 { (from, from + 9_000) } else { (len, len + 300) };
                let bytes = text.change(start..end);
                bytes.resize(len.max(end), 0);
                bytes[start..end].fill(u8::try_from(number % 251).expect("small"));
                *members = value_of(change.entry()).1;
            }
            ValueMut::Boxed(Object::Hash(hash)) => match what {
                0..3 => {
                    let text = number.to_string();
                    hash.set(&name, text.as_bytes(), at, HashLimits { entries: 4, value: 64 });
                    Arc::make_mut(members).insert(name, (number.into(), at));
                }
                3 | 4 => {
                    hash.remove(&name);
                    Arc::make_mut(members).remove(&name);
                }
                _ => {
                    if hash.set_expire_at(&name, at) {
                        Arc::make_mut(members).get_mut(&name).expect("both have it").1 = at;
                    }
                }
            },
            ValueMut::Boxed(Object::Set(set)) => {
                edit_set(set, Arc::make_mut(members), what, name, at);
            }
            _ => return,
        }
        let is_empty = members.is_empty();
        drop(change);
        if is_empty {
            shard.remove(db, Keyspace::hash(key), key);
            self.model.remove(&(db, key.to_vec()));
        }
    }

    fn flush_or_swap(&mut self) {
        let (one, other) = (self.below(DBS.into()), self.below(DBS.into()));
        match self.below(3) {
            0 => {
                self.keyspace.each_shard(|_, shard| drop(shard.clear(one)));
                self.model.retain(|(db, _), _| *db != one);
            }
            1 if one != other => {
                self.keyspace.each_shard(|_, shard| shard.swap(one, other, Millis(0)));
                let swapped = |db| match db {
                    db if db == one => other,
                    db if db == other => one,
                    db => db,
                };
                let old = std::mem::take(&mut self.model);
                self.model = old.into_iter().map(|((db, k), v)| ((swapped(db), k), v)).collect();
            }
            _ => self.replace(one),
        }
    }

    /// A loaded data set comes in the place of a database.
    fn replace(&mut self, db: u32) {
        self.model.retain(|(number, _), _| *number != db);
        let mut loaded: Vec<Shard> = (0..SHARD_COUNT).map(|_| Shard::default()).collect();
        let key = self.key();
        let entry = self.entry(&key);
        self.model.insert((db, key.clone()), (value_of(&entry), entry.expire_at()));
        loaded[usize::from(Keyspace::shard_of(&key))].insert(db, Keyspace::hash(&key), entry);
        self.keyspace.each_shard(|index, shard| {
            let fresh = loaded[usize::from(index)].clear(db).unwrap_or_default();
            drop(shard.replace(db, fresh, Millis(0)));
        });
    }

    /// Time passes, and what has ended is taken out of one shard's database.
    fn expire(&mut self) {
        self.now = self.now + Millis(self.random.below(15));
        let ((db, key), now) = (self.place(), self.now);
        let mut shard = self.keyspace.lock(Keyspace::shard_of(&key));
        let (model, mut soonest) = (&mut self.model, Millis(u64::MAX));
        let mut cursor = 0;
        loop {
            cursor = shard.drain_expired(db, cursor, now, &mut soonest, |ended| match ended {
                Ended::Key(entry) => {
                    let (_, at) = model.remove(&(db, entry.key().to_vec())).expect("both have it");
                    assert!(at.is_some_and(|at| at <= now));
                }
                Ended::Fields { key, fields, emptied, .. } => {
                    let place = (db, key.to_vec());
                    let ((_, members), _) = model.get_mut(&place).expect("both have it");
                    for field in fields {
                        Arc::make_mut(members).remove(field).expect("both have it");
                    }
                    assert_eq!(emptied, members.is_empty());
                    if emptied {
                        model.remove(&place);
                    }
                }
            });
            if cursor == 0 {
                break;
            }
        }
    }

    fn cut(&mut self) {
        let keep = Keep::default();
        let alone = self.keyspace.gate.exclusive();
        let made = self.keyspace.cut(&alone, Box::new(keep.clone()));
        assert_eq!(made.is_some(), self.walking.len() < WALKS_MAX);
        let Some(walk) = made else { return };
        let (reached, expected) = (Reached::default(), self.model.clone());
        self.walking.push(Walking { walk, reached, keep, expected });
    }

    fn walk(&mut self, steps: u32) {
        if self.walking.is_empty() {
            return;
        }
        let at = self.below(self.walking.len() as u64) as usize;
        let (keyspace, walking) = (&self.keyspace, &mut self.walking[at]);
        let goes_on = (0..steps).all(|_| {
            let step = keyspace.walk_step(&walking.walk, &mut walking.reached);
            if let Some(Stepped::Fragments(walked, Visit::Last)) = &step {
                assert!(walked.record().is_whole());
            }
            step.is_some()
        });
        if goes_on {
            return;
        }
        let walking = self.walking.swap_remove(at);
        assert_eq!(walking.keep.bytes.load(Ordering::Relaxed), 0, "something is kept for nobody");
        if !walking.walk.is_aborted() {
            let kept = walking.keep.kept.lock();
            assert_eq!(kept.twice, 0, "something was recorded twice");
            compare(&kept.entries, &walking.expected);
            self.finished += 1;
            self.begun += walking.keep.begun.load(Ordering::Relaxed);
        }
    }

    fn step(&mut self) {
        match self.below(200) {
            0..2 => self.cut(),
            2 if self.random.one_in(2) => self.flush_or_swap(),
            3 if !self.walking.is_empty() && self.random.one_in(8) => self.walking[0].walk.abort(),
            4..12 => self.limbo.clear(),
            12..40 => {
                let steps = 1 + self.below(40);
                self.walk(steps);
            }
            40..90 => self.walk(1),
            90..110 => self.expire(),
            _ => self.write(),
        }
    }

    fn check(&self) {
        let mut found = Model::new();
        self.keyspace.each_shard(|_, shard| {
            for (number, db) in shard.dbs() {
                for entry in db.iter() {
                    let value = (value_of(entry), entry.expire_at());
                    found.insert((number, entry.key().into()), value);
                }
            }
        });
        compare(&found, &self.model);
    }
}

/// A change of one member of a sorted set, or of those of some ranks.
fn edit_sorted_set(
    set: &mut SortedSet,
    members: &mut Members,
    what: u32,
    name: Vec<u8>,
    (score, at, rank): (f64, Option<Millis>, usize),
) {
    match what {
        0..3 => {
            set.insert(&name, score, SortedSetLimits::default());
            members.entry(name).or_insert((0, None)).0 = score.to_bits();
        }
        3 => {
            set.remove(&name);
            members.remove(&name);
        }
        4 => {
            if set.set_expire_at(&name, at) {
                members.get_mut(&name).expect("both have it").1 = at;
            }
        }
        _ => {
            let ranks = rank..rank + 5;
            for (member, _) in set.as_ref().iter(ranks.clone()) {
                members.remove(&member.to_vec());
            }
            set.remove_ranks(ranks);
        }
    }
}

/// A change of one member of a set.
fn edit_set(set: &mut Set, members: &mut Members, what: u32, name: Vec<u8>, at: Option<Millis>) {
    match what {
        0 | 1 => {
            if set.add(&name, SetLimits::default()) {
                members.insert(name, (0, None));
            }
        }
        2..5 => {
            set.remove(&name);
            members.remove(&name);
        }
        _ => {
            if set.set_expire_at(&name, at) {
                members.get_mut(&name).expect("both have it").1 = at;
            }
        }
    }
}

#[track_caller]
fn compare(found: &Model, expected: &Model) {
    let places: Vec<_> = found.keys().collect();
    assert_eq!(places, expected.keys().collect::<Vec<_>>());
    for (place, value) in expected {
        assert!(&found[place] == value, "{place:?} is another");
    }
}

#[test]
fn walks_record_large_collections_as_they_were_at_the_cut() {
    let (mut finished, mut begun) = (0, 0);
    for seed in 0..6 {
        let mut world = World::new(seed);
        for _ in 0..12 {
            let (db, key) = (world.below(DBS.into()), world.key());
            let entry = world.entry(&key);
            world.put(db, entry);
        }
        for step in 0..900 {
            world.step();
            if step % 300 == 299 {
                world.check();
            }
        }
        while !world.walking.is_empty() {
            world.walk(500);
            world.limbo.clear();
        }
        world.check();
        (finished, begun) = (finished + world.finished, begun + world.begun);
        // No side is left behind, so that later changes cost nothing.
        world.keyspace.each_shard(|_, shard| {
            for (_, db) in shard.dbs() {
                for entry in db.iter() {
                    let ValueRef::Boxed(object) = entry.value() else { continue };
                    assert!(object.fragmented().is_none_or(|one| one.sides().is_empty()));
                }
            }
        });
    }
    assert!(finished > 15 && begun > 50, "{finished} walks came to their end, {begun} collections");
}

/// What is deleted counts as kept, once for all walks, until the last of them has it.
#[test]
fn what_lives_for_walks_alone_is_counted() {
    for kind in [Kind::String, Kind::Set, Kind::SortedSet, Kind::Hash] {
        let keyspace = Keyspace::new(1);
        let mut world = World::new(1);
        let mut large_one = || loop {
            let entry = world.entry(b"k");
            if let ValueRef::Boxed(object) = entry.value()
                && object.is_large()
                && kind_of(&entry) == kind
            {
                break (object.heap_bytes(), entry);
            }
        };
        let ((heap_bytes, entry), shard) = (large_one(), Keyspace::shard_of(b"k"));
        keyspace.lock(shard).insert(0, Keyspace::hash(b"k"), entry);
        let keeps = [Keep::default(), Keep::default()];
        let walks = keeps.clone().map(|keep| {
            keyspace.cut(&keyspace.gate.exclusive(), Box::new(keep)).expect("room for two")
        });
        let kept = || keeps.each_ref().map(|keep| keep.bytes.load(Ordering::Relaxed));
        drop(keyspace.lock(shard).remove(0, Keyspace::hash(b"k"), b"k"));
        let [one, other] = kept();
        let exact = heap_bytes - (heap_bytes / 50)..=heap_bytes + (heap_bytes / 50);
        assert!(one == other && exact.contains(&(one + other)), "{kind:?}: {one} of {heap_bytes}");
        assert!(keyspace.walk(&walks[0], |_| true));
        assert_eq!(kept(), [0, other]);
        walks[1].abort();
        assert!(!keyspace.walk(&walks[1], |_| true));
        assert_eq!(kept(), [0, 0]);
    }
}

const KEYS: [&[u8]; 2] = [b"one", b"other"];

/// Shifts a score from one member of the sorted set to another, or renames it.
fn shift(keyspace: &Keyspace, random: &mut Random) {
    let mut shards = KEYS.map(Keyspace::shard_of).into_iter().collect();
    let Some(mut locks) = LockSet::keys(keyspace, &mut shards) else { return };
    let hashes = KEYS.map(Keyspace::hash);
    let mut shard = |at: usize, act: &mut dyn FnMut(&mut Shard) -> bool| {
        act(locks.shard(Keyspace::shard_of(KEYS[at])).expect("locked"))
    };
    let is_first = shard(0, &mut |shard| shard.find(0, hashes[0], KEYS[0]).is_some());
    let (from, to) = if is_first { (0, 1) } else { (1, 0) };
    if random.one_in(8) {
        let mut taken = None;
        shard(from, &mut |shard| {
            taken = shard.remove(0, hashes[from], KEYS[from]);
            taken.is_some()
        });
        let mut moved = taken.map(|entry| entry.renamed(KEYS[to]));
        shard(to, &mut |shard| {
            shard.insert(0, hashes[to], moved.take().expect("it was there")).is_some()
        });
        return;
    }
    shard(from, &mut |shard| {
        let mut change = shard.change(0, hashes[from], KEYS[from]).expect("it is there");
        let ValueMut::Boxed(Object::SortedSet(set)) = change.value_mut() else {
            panic!("a sorted set")
        };
        for by in [-1.0, 1.0] {
            let member = account(u32::try_from(random.below(MEMBERS.into())).expect("small"));
            let score = set.as_ref().score(&member).expect("an account");
            set.insert(&member, score + by, SortedSetLimits::default());
        }
        true
    });
}

fn account(number: u32) -> Vec<u8> {
    format!("account:{number:06}").into_bytes()
}

/// Two writers shift scores between the members of one sorted set and move it from key to key, while
/// walks are cut again and again: each must find the same total, under real concurrency.
#[test]
fn walks_of_a_moving_collection_are_consistent_among_threads() {
    let keyspace = Keyspace::new(4);
    let mut set = SortedSet::default();
    for number in 0..MEMBERS {
        set.insert(&account(number), 100.0, SortedSetLimits::default());
    }
    let mut entry = Entry::new(KEYS[0], NewValue::Boxed(set.into_object()), None);
    entry.set_tag(Kind::SortedSet.tag(0));
    keyspace.lock(Keyspace::shard_of(KEYS[0])).insert(0, Keyspace::hash(KEYS[0]), entry);
    let stop = AtomicBool::new(false);
    let writer = |seed| {
        let seat = keyspace.gate.seat().expect("a seat");
        let mut random = Random::from_seed(seed);
        while !stop.load(Ordering::Acquire) {
            seat.enter();
            shift(&keyspace, &mut random);
            seat.leave();
        }
    };
    let walker = || {
        for _ in 0..5 {
            let keep = Keep::default();
            let alone = keyspace.gate.exclusive();
            let walk = keyspace.cut(&alone, Box::new(keep.clone())).expect("room for two");
            drop(alone);
            let mut ended = 0;
            assert!(keyspace.walk(&walk, |step| {
                if let Step::LastFragments(record) = step {
                    assert!(record.is_whole());
                    ended += 1;
                }
                true
            }));
            let kept = keep.kept.lock();
            assert_eq!((kept.twice, kept.entries.len(), ended), (0, 1, 1));
            let ((_, members), _) = kept.entries.values().next().expect("one");
            let total: f64 = members.values().map(|(bits, _)| f64::from_bits(*bits)).sum();
            assert!((total - f64::from(MEMBERS) * 100.0).abs() < 0.5, "{total}");
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| writer(1));
        scope.spawn(|| writer(2));
        let other = scope.spawn(walker);
        walker();
        other.join().expect("the other walker");
        stop.store(true, Ordering::Release);
    });
}
