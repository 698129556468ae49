//! The keyspace against a model: what walks record, what is counted, and when the next key expires.

use super::*;
use crate::{Db, Ended, Entry, LockSet, Record, Visitor, WatchFlag};
use base::Millis;
use base::random::Random;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::thread;
use structures::{NewValue, ValueRef};
use values::fragment::Outline;

/// Databases in play.
const DBS: u32 = 3;

type Model = BTreeMap<(u32, Vec<u8>), (i64, Option<Millis>)>;

/// Keeps what it is given, and whether anything came twice.
#[derive(Default)]
struct Kept {
    entries: Model,
    twice: usize,
}

#[derive(Clone, Default)]
struct Keep(Arc<std::sync::OnceLock<Mutex<Kept>>>);

impl Keep {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.get_or_init(|| Mutex::new(Rank::Walk, Kept::default())).lock()
    }
}

impl Recorder for Keep {
    fn record(&self, db: u32, entry: &mut Entry, _: Visitor) {
        let ValueRef::Int(value) = entry.value() else { panic!("only integers are put in") };
        let mut kept = self.kept();
        let old = kept.entries.insert((db, entry.key().into()), (value, entry.expire_at()));
        kept.twice += usize::from(old.is_some());
    }

    fn begin(&self, _: u32, entry: &Entry, _: Outline) -> Arc<dyn Record> {
        panic!("{entry:?} is no integer");
    }

    fn is_full(&self) -> bool {
        false
    }
}

/// A walk under way, with what it must find.
struct Walking {
    walk: Arc<Walk>,
    reached: Reached,
    keep: Keep,
    expected: Model,
}

/// A pass over the expired keys of one shard's database, as active expiry makes it.
struct Pass {
    shard: u16,
    db: u32,
    cursor: u64,
    soonest: Millis,
}

struct World {
    keyspace: Keyspace,
    model: Model,
    random: Random,
    now: Millis,
    walking: Vec<Walking>,
    pass: Option<Pass>,
    finished: usize,
}

impl World {
    fn new(seed: u64) -> World {
        World {
            keyspace: Keyspace::new(2),
            model: Model::new(),
            random: Random::from_seed(seed),
            now: Millis(1_000),
            walking: Vec::new(),
            pass: None,
            finished: 0,
        }
    }

    fn below(&mut self, bound: u64) -> u32 {
        u32::try_from(self.random.below(bound)).expect("small")
    }

    /// Half of the keys share a shard, so that its table grows, shrinks and is walked in pieces.
    fn key(&mut self) -> Vec<u8> {
        let number = self.below(400);
        if number < 200 { format!("{{tag}}{number}") } else { format!("key{number}") }.into_bytes()
    }

    fn expiry(&mut self) -> Option<Millis> {
        let span = u64::from(self.below(2_000));
        self.random.one_in(2).then(|| self.now + Millis(span + 1))
    }

    fn put(&mut self, db: u32, key: &[u8], value: i64, at: Option<Millis>) {
        let entry = Entry::new(key, NewValue::Int(value), at);
        let old =
            self.keyspace.lock(Keyspace::shard_of(key)).insert(db, Keyspace::hash(key), entry);
        assert_eq!(old.is_some(), self.model.insert((db, key.to_vec()), (value, at)).is_some());
    }

    fn write(&mut self) {
        let (db, key, value) = (self.below(DBS.into()), self.key(), i64::from(self.below(1 << 30)));
        let (hash, index) = (Keyspace::hash(&key), Keyspace::shard_of(&key));
        let place = (db, key.clone());
        match self.below(8) {
            0..3 => {
                let at = self.expiry();
                self.put(db, &key, value, at);
            }
            3 => {
                let mut shard = self.keyspace.lock(index);
                if let Some(mut change) = shard.change(db, hash, &key) {
                    change.set_value(NewValue::Int(value));
                    self.model.get_mut(&place).expect("both have it").0 = value;
                }
            }
            4 => {
                let removed = self.keyspace.lock(index).remove(db, hash, &key);
                assert_eq!(removed.is_some(), self.model.remove(&place).is_some());
            }
            5 => {
                let at = self.expiry();
                let found = self.keyspace.lock(index).set_expire_at(db, hash, &key, at);
                let entry = self.model.get_mut(&place);
                assert_eq!(found, entry.is_some());
                if let Some(entry) = entry {
                    entry.1 = at;
                }
            }
            _ => self.rename(db, &key),
        }
    }

    fn rename(&mut self, db: u32, key: &[u8]) {
        let (to_db, to) = (self.below(DBS.into()), self.key());
        let taken =
            self.keyspace.lock(Keyspace::shard_of(key)).remove(db, Keyspace::hash(key), key);
        let Some(entry) = taken else { return };
        let shard = Keyspace::shard_of(&to);
        self.keyspace.lock(shard).insert(to_db, Keyspace::hash(&to), entry.renamed(&to));
        let entry = self.model.remove(&(db, key.to_vec())).expect("both have it");
        self.model.insert((to_db, to), entry);
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
                let swapped = |db| {
                    if db == one {
                        other
                    } else if db == other {
                        one
                    } else {
                        db
                    }
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
        for _ in 0..20 {
            let (key, at) = (self.key(), self.expiry());
            let shard = &mut loaded[usize::from(Keyspace::shard_of(&key))];
            shard.insert(db, Keyspace::hash(&key), Entry::new(&key, NewValue::Int(7), at));
            self.model.insert((db, key), (7, at));
        }
        self.keyspace.each_shard(|index, shard| {
            shard.replace(db, loaded[usize::from(index)].clear(db).unwrap_or_default(), Millis(0));
        });
    }

    /// A piece of active expiry; passes are given up in the middle now and then.
    fn expire(&mut self) {
        self.now = self.now + Millis(self.random.below(20));
        if self.random.one_in(10) {
            self.pass = None;
        }
        if self.pass.is_none() {
            let (shard, db) = (Keyspace::shard_of(&self.key()), self.below(DBS.into()));
            self.keyspace.lock(shard).begin_expiry_pass(db);
            self.pass = Some(Pass { shard, db, cursor: 0, soonest: Millis(u64::MAX) });
        }
        let Some(mut pass) = self.pass.take() else { return };
        let (model, db, now) = (&mut self.model, pass.db, self.now);
        let mut shard = self.keyspace.lock(pass.shard);
        pass.cursor = shard.drain_expired(db, pass.cursor, now, &mut pass.soonest, |ended| {
            let Ended::Key(entry) = ended else { panic!("{ended:?}") };
            let (_, at) = model.remove(&(db, entry.key().to_vec())).expect("both have it");
            assert!(at.is_some_and(|at| at <= now));
        });
        if pass.cursor == 0 {
            shard.end_expiry_pass(db, pass.soonest);
        } else {
            drop(shard);
            self.pass = Some(pass);
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
        let goes_on = |walking: &mut Walking| {
            (0..steps)
                .all(|_| self.keyspace.walk_step(&walking.walk, &mut walking.reached).is_some())
        };
        if goes_on(&mut self.walking[at]) {
            return;
        }
        let walking = self.walking.swap_remove(at);
        if !walking.walk.is_aborted() {
            let kept = walking.keep.kept();
            assert_eq!(kept.twice, 0, "an entry was recorded twice");
            assert_eq!(kept.entries, walking.expected);
            self.finished += 1;
        }
    }

    /// Counts and bounds hold at any time.
    fn check(&self) {
        let mut found = Model::new();
        let now = self.now;
        self.keyspace.each_shard(|_, shard| {
            for (number, db) in shard.dbs() {
                assert_eq!(db.len(), db.iter().count());
                let volatile = db.iter().filter(|entry| entry.expire_at().is_some()).count();
                assert_eq!(db.volatile(), volatile);
                let expired = db.iter().any(|e| e.expire_at().is_some_and(|at| at <= now));
                assert!(!expired || db.may_have_expired(now), "an expiry was forgotten");
                for entry in db.iter() {
                    let ValueRef::Int(value) = entry.value() else { panic!("an integer") };
                    found.insert((number, entry.key().into()), (value, entry.expire_at()));
                }
            }
        });
        assert_eq!(found, self.model);
    }

    fn step(&mut self) {
        match self.below(1_000) {
            0..3 => self.cut(),
            3..6 => self.flush_or_swap(),
            6 if !self.walking.is_empty() => self.walking[0].walk.abort(),
            6..300 => {
                let steps = 1 + self.below(60);
                self.walk(steps);
            }
            300..500 => self.expire(),
            _ => self.write(),
        }
    }
}

#[test]
fn walks_record_the_cut_whatever_happens_meanwhile() {
    for seed in 0..8 {
        let mut world = World::new(seed);
        for step in 0..6_000 {
            world.step();
            if step % 500 == 0 {
                world.check();
            }
        }
        while !world.walking.is_empty() {
            world.walk(100);
        }
        world.check();
        assert!(world.finished > 5, "seed {seed}: {} walks came to their end", world.finished);
        assert_eq!(world.keyspace.walks(), 0);
        world.keyspace.each_shard(|_, shard| assert!(!shard.is_walked()));
    }
}

#[test]
fn what_is_saved_ahead_of_a_walk_is_counted() {
    let keyspace = Keyspace::new(1);
    let put = |key: &[u8]| {
        let mut shard = keyspace.lock(Keyspace::shard_of(key));
        shard.insert(0, Keyspace::hash(key), Entry::new(key, NewValue::Int(7), None));
    };
    put(b"changed");
    put(b"left");
    let walk = keyspace.cut(&keyspace.gate.exclusive(), Box::new(Keep::default())).expect("room");
    assert_eq!(walk.ahead_bytes(), 0);
    put(b"changed");
    put(b"changed");
    put(b"new");
    let bytes = Entry::new(b"changed", NewValue::Int(7), None).allocated_bytes() as u64;
    assert_eq!(walk.ahead_bytes(), bytes);
    assert!(keyspace.walk(&walk, |_| true));
    assert_eq!(walk.ahead_bytes(), bytes);
}

#[test]
fn a_pass_given_up_forgets_no_expiry() {
    let keyspace = Keyspace::new(1);
    let mut shard = keyspace.lock(0);
    for number in 0..500 {
        let key = format!("{{x}}{number}");
        let entry = Entry::new(key.as_bytes(), NewValue::Int(1), Some(Millis(100)));
        shard.insert(0, Keyspace::hash(key.as_bytes()), entry);
    }
    assert!(shard.db(0).is_some_and(|db| db.may_have_expired(Millis(100))));
    shard.begin_expiry_pass(0);
    let cursor = shard.drain_expired(0, 0, Millis(100), &mut Millis(u64::MAX), |_| {});
    assert_ne!(cursor, 0);
    assert!(shard.db(0).is_some_and(|db| db.may_have_expired(Millis(100))));
    // The database the pass began in is elsewhere when it ends.
    shard.swap(0, 1, Millis(0));
    shard.end_expiry_pass(0, Millis(u64::MAX));
    assert!(shard.db(1).is_some_and(|db| db.may_have_expired(Millis(100))));
    shard.swap(0, 1, Millis(0));
    shard.end_expiry_pass(0, Millis(u64::MAX));
    assert!(shard.db(0).is_some_and(|db| db.may_have_expired(Millis(100))));
}

#[test]
fn a_whole_pass_makes_the_bound_exact() {
    let keyspace = Keyspace::new(1);
    let mut shard = keyspace.lock(0);
    for (key, at) in [("a", 100), ("b", 200), ("c", 300)] {
        let entry = Entry::new(key.as_bytes(), NewValue::Int(1), Some(Millis(at)));
        shard.insert(0, Keyspace::hash(key.as_bytes()), entry);
    }
    let (mut cursor, mut soonest, mut gone) = (0, Millis(u64::MAX), 0);
    shard.begin_expiry_pass(0);
    loop {
        cursor = shard.drain_expired(0, cursor, Millis(200), &mut soonest, |_| gone += 1);
        if cursor == 0 {
            break;
        }
    }
    // Set while the pass was under way.
    let entry = Entry::new(b"d", NewValue::Int(1), Some(Millis(250)));
    shard.insert(0, Keyspace::hash(b"d"), entry);
    shard.end_expiry_pass(0, soonest);
    let db = shard.db(0).expect("a database");
    assert_eq!((gone, db.volatile()), (2, 2));
    assert!(!db.may_have_expired(Millis(249)) && db.may_have_expired(Millis(250)));
}

/// Two writers move amounts between accounts while walks are cut again and again: each must find the
/// same total, under real concurrency.
#[test]
fn walks_are_consistent_among_threads() {
    const ACCOUNTS: u32 = 300;
    let keyspace = Keyspace::new(4);
    let name = |number: u32| format!("account{number}").into_bytes();
    for number in 0..ACCOUNTS {
        let key = name(number);
        let entry = Entry::new(&key, NewValue::Int(100), None);
        keyspace.lock(Keyspace::shard_of(&key)).insert(0, Keyspace::hash(&key), entry);
    }
    let stop = AtomicBool::new(false);
    let writer = |seed| {
        let seat = keyspace.gate.seat().expect("a seat");
        let mut random = Random::from_seed(seed);
        while !stop.load(Ordering::Acquire) {
            seat.enter();
            let mut pick = || name(u32::try_from(random.below(ACCOUNTS.into())).expect("small"));
            let (from, to) = (pick(), pick());
            let mut shards = [&from, &to].map(|key| Keyspace::shard_of(key)).into_iter().collect();
            if let Some(mut locks) = LockSet::keys(&keyspace, &mut shards) {
                for (key, by) in [(&from, -1), (&to, 1)] {
                    let shard = locks.shard(Keyspace::shard_of(key)).expect("locked");
                    let hash = Keyspace::hash(key);
                    let entry = shard.remove(0, hash, key).expect("an account");
                    let ValueRef::Int(value) = entry.value() else { panic!("an integer") };
                    shard.insert(0, hash, Entry::new(key, NewValue::Int(value + by), None));
                }
            }
            seat.leave();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| writer(1));
        scope.spawn(|| writer(2));
        let walker = || {
            for _ in 0..15 {
                let keep = Keep::default();
                let alone = keyspace.gate.exclusive();
                let walk = keyspace.cut(&alone, Box::new(keep.clone())).expect("room for two");
                drop(alone);
                assert!(keyspace.walk(&walk, |_| true));
                let kept = keep.kept();
                assert_eq!((kept.twice, kept.entries.len()), (0, ACCOUNTS as usize));
                let total: i64 = kept.entries.values().map(|(value, _)| value).sum();
                assert_eq!(total, i64::from(ACCOUNTS) * 100);
            }
        };
        let other = scope.spawn(walker);
        walker();
        other.join().expect("the other walker");
        stop.store(true, Ordering::Release);
    });
}

#[test]
fn a_lock_set_is_given_up_while_another_thread_holds_a_shard() {
    let keyspace = Keyspace::new(2);
    let held = keyspace.lock(7);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut wanted = [9, 7, 3, 9].into_iter().collect();
            assert!(LockSet::keys(&keyspace, &mut wanted).is_none());
            assert_eq!(wanted[..], [3, 7, 9]);
            // What it had taken is free again.
            assert!(keyspace.try_lock(3).is_some() && keyspace.try_lock(9).is_some());
        });
    });
    drop(held);
    let mut wanted = [9, 7, 3, 9].into_iter().collect();
    let mut locks = LockSet::keys(&keyspace, &mut wanted).expect("all are free");
    assert!(locks.shard(3).is_some() && locks.shard(9).is_some() && locks.shard(4).is_none());
    drop(locks);
    let mut locks = LockSet::one(&keyspace, 5).expect("it is free");
    assert!(locks.shard(5).is_some() && locks.shard(4).is_none());
    assert!(locks.extend(&[5, 4, 5]) && locks.shard(4).is_some() && locks.shard(5).is_some());
    assert!(keyspace.try_lock(4).is_none() && keyspace.try_lock(5).is_none());
}

#[test]
fn watchers_are_told_of_every_kind_of_change() {
    type Act = fn(&mut Shard, u64);
    let acts: [(&str, bool, Act); 8] = [
        ("insert", true, |shard, hash| {
            shard.insert(0, hash, Entry::new(b"k", NewValue::Int(2), None));
        }),
        ("change", true, |shard, hash| assert!(shard.change(0, hash, b"k").is_some())),
        ("remove", true, |shard, hash| drop(shard.remove(0, hash, b"k"))),
        ("expire", true, |shard, hash| {
            assert!(shard.set_expire_at(0, hash, b"k", Some(Millis(9))));
        }),
        ("clear", true, |shard, _| drop(shard.clear(0))),
        ("swap", true, |shard, _| shard.swap(0, 1, Millis(0))),
        ("replace", true, |shard, _| drop(shard.replace(0, crate::Db::default(), Millis(0)))),
        ("another key", false, |shard, _| {
            shard.insert(0, Keyspace::hash(b"other"), Entry::new(b"other", NewValue::Int(2), None));
        }),
    ];
    for (what, is_told, act) in acts {
        let keyspace = Keyspace::new(1);
        let mut shard = keyspace.lock(0);
        let hash = Keyspace::hash(b"k");
        shard.insert(0, hash, Entry::new(b"k", NewValue::Int(1), None));
        let (flag, ended) = (WatchFlag::default(), WatchFlag::default());
        shard.watch(0, b"k", &flag, Millis(0));
        shard.watch(0, b"k", &ended, Millis(0));
        shard.unwatch(0, b"k", &ended);
        act(&mut shard, hash);
        assert_eq!((flag.is_dirty(), ended.is_dirty()), (is_told, false), "{what}");
    }
}

#[test]
fn fields_that_have_ended_are_taken_out() {
    use values::{Collection, Hash, HashLimits};
    let keyspace = Keyspace::new(1);
    let mut shard = keyspace.lock(0);
    let mut put = |key: &[u8], ends: &[Option<u64>]| {
        let mut hash = Hash::default();
        for (number, at) in ends.iter().enumerate() {
            let field = number.to_string();
            hash.set(field.as_bytes(), b"v", at.map(Millis), HashLimits::default());
        }
        let value = NewValue::Boxed(hash.into_object());
        shard.insert(0, Keyspace::hash(key), Entry::new(key, value, None));
    };
    put(b"some", &[Some(100), None, Some(300)]);
    put(b"all", &[Some(100), Some(50)]);
    put(b"none", &[Some(200)]);
    assert!(shard.db(0).is_some_and(|db| db.may_have_expired(Millis(50))));
    let (mut cursor, mut soonest, mut told) = (0, Millis(u64::MAX), BTreeMap::new());
    shard.begin_expiry_pass(0);
    loop {
        cursor = shard.drain_expired(0, cursor, Millis(100), &mut soonest, |ended| {
            let Ended::Fields { key, fields, emptied, .. } = ended else { panic!("{ended:?}") };
            let mut fields = fields.to_vec();
            fields.sort();
            told.insert(key.to_vec(), (fields, emptied));
        });
        if cursor == 0 {
            break;
        }
    }
    shard.end_expiry_pass(0, soonest);
    let expected = [
        (b"all".to_vec(), (vec![b"0".to_vec(), b"1".to_vec()], true)),
        (b"some".to_vec(), (vec![b"0".to_vec()], false)),
    ];
    assert_eq!(told, BTreeMap::from(expected));
    assert_eq!(shard.db(0).map(Db::len), Some(2));
    assert_eq!(shard.db(0).map(Db::volatile), Some(0));
    assert!(shard.db(0).is_some_and(|db| !db.may_have_expired(Millis(199))));
    assert!(shard.db(0).is_some_and(|db| db.may_have_expired(Millis(200))));
}

/// A sweep that was given up in the middle has passed members which end later: whoever looks then goes
/// through what it has passed as well.
#[test]
fn what_ends_behind_a_sweep_that_stands_in_the_middle_is_taken_out() {
    use values::{Collection, Kind, Set, SetLimits};
    const MEMBERS: usize = 40_000;
    let keyspace = Keyspace::new(1);
    let mut shard = keyspace.lock(0);
    let mut set = Set::default();
    for number in 0..MEMBERS {
        let member = format!("member-{number}");
        set.add(member.as_bytes(), SetLimits::default());
        let at = if number == 0 { 100 } else { 200 };
        set.set_expire_at(member.as_bytes(), Some(Millis(at)));
    }
    set.add(b"stays", SetLimits::default());
    let hash = Keyspace::hash(b"s");
    let mut entry = Entry::new(b"s", NewValue::Boxed(set.into_object()), None);
    entry.set_tag(Kind::Set.tag(0));
    shard.insert(0, hash, entry);
    let mut gone = 0;
    shard.drain_expired(0, 0, Millis(100), &mut Millis(u64::MAX), |ended| {
        let Ended::Fields { fields, .. } = ended else { panic!("{ended:?}") };
        gone += fields.len();
    });
    let ended = shard.end_members(0, hash, b"s", Kind::Set, Millis(200));
    let (members, emptied) = ended.expect("what ends at 200");
    assert_eq!((members.len() + gone, emptied), (MEMBERS, false));
}

#[test]
fn a_database_whose_keys_have_gone_is_none() {
    let keyspace = Keyspace::new(1);
    let mut shard = keyspace.lock(0);
    let put = |shard: &mut crate::Shard, db, key: &[u8], at: Option<u64>| {
        let entry = Entry::new(key, NewValue::Int(1), at.map(Millis));
        shard.insert(db, Keyspace::hash(key), entry);
    };
    let numbers = |shard: &crate::Shard| shard.dbs().map(|(db, _)| db).collect::<Vec<_>>();
    for db in [9, 3, 12] {
        put(&mut shard, db, b"k", Some(100));
    }
    assert_eq!(numbers(&shard), [3, 9, 12]);
    assert_eq!([shard.next_db(0), shard.next_db(4), shard.next_db(13)], [Some(3), Some(9), None]);
    shard.swap(3, 5, Millis(0));
    assert_eq!(numbers(&shard), [5, 9, 12]);
    shard.remove(5, Keyspace::hash(b"k"), b"k");
    assert_eq!(numbers(&shard), [9, 12]);
    shard.drain_expired(9, 0, Millis(100), &mut Millis(u64::MAX), |_| {});
    assert_eq!(numbers(&shard), [12]);
    assert_eq!(shard.clear(12).map(|db| db.len()), Some(1));
    assert_eq!(numbers(&shard), []);
    let old = shard.replace(7, crate::Db::default(), Millis(0));
    assert!(old.is_empty() && numbers(&shard).is_empty());
}
