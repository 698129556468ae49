//! Effects: what a command has done, declared by its handler and carried out here, in one fixed order.
//!
//! While the shard locks are still held: expired keys first, then the command's own changes, are
//! appended to the log as one batch, framed by MULTI and EXEC if it has more than one command, as in
//! stock; then events are published. Watched keys and snapshot walks have
//! been served by the shard at the moment of the change. By default a changing command is logged as
//! it came; a handler whose effect depends on time, chance or state logs something absolute instead.

use crate::args::Request;
use crate::blocking::DbKey;
use crate::keys::NOTES_CHANGES;
use crate::node::Node;
use crate::tracking::Changed;
use base::Offset;
use oplog::{Batch, Framing};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::Ordering;
use values::Kind;

/// What happened to a key, named as keyspace notifications name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are stock's and say all")]
pub enum Event {
    Append,
    CopyTo,
    Delete,
    Evicted,
    Expire,
    Expired,
    GeoRadiusStore,
    GeoSearchStore,
    HashDelete,
    HashExpire,
    HashExpired,
    HashIncrementBy,
    HashIncrementByFloat,
    HashPersist,
    HashSet,
    HyperLogLogAdd,
    IncrementBy,
    IncrementByFloat,
    KeyMiss,
    ListInsert,
    ListPopLeft,
    ListPopRight,
    ListPushLeft,
    ListPushRight,
    ListRemove,
    ListSet,
    ListTrim,
    MoveFrom,
    MoveTo,
    New,
    Persist,
    RenameFrom,
    RenameTo,
    Restore,
    Set,
    SetAdd,
    SetBit,
    SetDiffStore,
    SetInterStore,
    SetPop,
    SetRange,
    SetRemove,
    SetUnionStore,
    SortStore,
    SortedSetAdd,
    SortedSetDiffStore,
    SortedSetIncrement,
    SortedSetInterStore,
    SortedSetPopMax,
    SortedSetPopMin,
    SortedSetRangeStore,
    SortedSetRemove,
    SortedSetRemoveByLex,
    SortedSetRemoveByRank,
    SortedSetRemoveByScore,
    SortedSetUnionStore,
    StreamAdd,
    StreamDelete,
    StreamGroupCreate,
    StreamGroupCreateConsumer,
    StreamGroupDeleteConsumer,
    StreamGroupDestroy,
    StreamGroupSetId,
    StreamSetId,
    StreamTrim,
}

impl Event {
    /// The event's name, and the class letter of `notify-keyspace-events` it belongs to.
    pub const fn name(self) -> (&'static str, u8) {
        match self {
            Event::Append => ("append", b'$'),
            Event::CopyTo => ("copy_to", b'g'),
            Event::Delete => ("del", b'g'),
            Event::Evicted => ("evicted", b'e'),
            Event::Expire => ("expire", b'g'),
            Event::Expired => ("expired", b'x'),
            Event::GeoRadiusStore => ("georadiusstore", b'z'),
            Event::GeoSearchStore => ("geosearchstore", b'z'),
            Event::HashDelete => ("hdel", b'h'),
            Event::HashExpire => ("hexpire", b'h'),
            Event::HashExpired => ("hexpired", b'h'),
            Event::HashIncrementBy => ("hincrby", b'h'),
            Event::HashIncrementByFloat => ("hincrbyfloat", b'h'),
            Event::HashPersist => ("hpersist", b'h'),
            Event::HashSet => ("hset", b'h'),
            Event::HyperLogLogAdd => ("pfadd", b'$'),
            Event::IncrementBy => ("incrby", b'$'),
            Event::IncrementByFloat => ("incrbyfloat", b'$'),
            Event::KeyMiss => ("keymiss", b'm'),
            Event::ListInsert => ("linsert", b'l'),
            Event::ListPopLeft => ("lpop", b'l'),
            Event::ListPopRight => ("rpop", b'l'),
            Event::ListPushLeft => ("lpush", b'l'),
            Event::ListPushRight => ("rpush", b'l'),
            Event::ListRemove => ("lrem", b'l'),
            Event::ListSet => ("lset", b'l'),
            Event::ListTrim => ("ltrim", b'l'),
            Event::MoveFrom => ("move_from", b'g'),
            Event::MoveTo => ("move_to", b'g'),
            Event::New => ("new", b'n'),
            Event::Persist => ("persist", b'g'),
            Event::RenameFrom => ("rename_from", b'g'),
            Event::RenameTo => ("rename_to", b'g'),
            Event::Restore => ("restore", b'g'),
            Event::Set => ("set", b'$'),
            Event::SetAdd => ("sadd", b's'),
            Event::SetBit => ("setbit", b'$'),
            Event::SetDiffStore => ("sdiffstore", b's'),
            Event::SetInterStore => ("sinterstore", b's'),
            Event::SetPop => ("spop", b's'),
            Event::SetRange => ("setrange", b'$'),
            Event::SetRemove => ("srem", b's'),
            Event::SetUnionStore => ("sunionstore", b's'),
            Event::SortStore => ("sortstore", b'l'),
            Event::SortedSetAdd => ("zadd", b'z'),
            Event::SortedSetDiffStore => ("zdiffstore", b'z'),
            Event::SortedSetIncrement => ("zincr", b'z'),
            Event::SortedSetInterStore => ("zinterstore", b'z'),
            Event::SortedSetPopMax => ("zpopmax", b'z'),
            Event::SortedSetPopMin => ("zpopmin", b'z'),
            Event::SortedSetRangeStore => ("zrangestore", b'z'),
            Event::SortedSetRemove => ("zrem", b'z'),
            Event::SortedSetRemoveByLex => ("zremrangebylex", b'z'),
            Event::SortedSetRemoveByRank => ("zremrangebyrank", b'z'),
            Event::SortedSetRemoveByScore => ("zremrangebyscore", b'z'),
            Event::SortedSetUnionStore => ("zunionstore", b'z'),
            Event::StreamAdd => ("xadd", b't'),
            Event::StreamDelete => ("xdel", b't'),
            Event::StreamGroupCreate => ("xgroup-create", b't'),
            Event::StreamGroupCreateConsumer => ("xgroup-createconsumer", b't'),
            Event::StreamGroupDeleteConsumer => ("xgroup-delconsumer", b't'),
            Event::StreamGroupDestroy => ("xgroup-destroy", b't'),
            Event::StreamGroupSetId => ("xgroup-setid", b't'),
            Event::StreamSetId => ("xsetid", b't'),
            Event::StreamTrim => ("xtrim", b't'),
        }
    }
}

/// Bytes of a buffer that are kept for the next command.
const REPLACED_BYTES_KEPT: usize = 64 << 10;

/// How a changing command is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Logging {
    #[default]
    AsItCame,
    Replaced,
    Nothing,
}

/// Commands to be logged instead of the one that runs, in buffers that are used again.
#[derive(Debug, Default)]
struct Replaced {
    bytes: Vec<u8>,
    words: Vec<Range<usize>>,
    commands: Vec<(u32, Range<usize>)>,
}

impl Replaced {
    fn add(&mut self, db: u32, words: &[&[u8]]) {
        let first = self.words.len();
        for word in words {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(word);
            self.words.push(start..self.bytes.len());
        }
        self.commands.push((db, first..self.words.len()));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(REPLACED_BYTES_KEPT);
        self.words.clear();
        self.commands.clear();
    }

    /// Moves the log's end as far as they would, if they are one and nobody wants its bytes.
    fn count(&self, node: &Node) -> Option<Offset> {
        let [(db, words)] = &self.commands[..] else { return None };
        let lengths = self.words[words.clone()].iter().map(ExactSizeIterator::len);
        node.log.count(*db, oplog::encoded_bytes(lengths))
    }

    fn join(&self, batch: &mut Batch) {
        for (db, words) in &self.commands {
            let words: SmallVec<[&[u8]; 8]> =
                self.words[words.clone()].iter().map(|word| &self.bytes[word.clone()]).collect();
            batch.command(*db, &words);
        }
    }
}

/// The effects of the command that runs, or of the transaction it belongs to.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, each named")]
pub struct Effects {
    batch: Batch,
    batched: usize,
    /// The log's end behind the command that runs, if nobody wants its bytes.
    counted: Option<Offset>,
    dirty: u64,
    logging: Logging,
    replaced: Replaced,
    listening: bool,
    events: Vec<(u32, Event, Box<[u8]>)>,
    /// Where the events of the command that runs begin.
    events_begin: usize,
    in_transaction: bool,
    /// Some connection waited for a key when the command began.
    somebody_waits: bool,
    /// Keys that have changed while somebody waited.
    ready: VecDeque<DbKey>,
    all_ready: bool,
    /// Keys that have changed and that clients cache, not told yet.
    cached: Vec<Changed>,
    /// All keys have changed, not told yet.
    all_cached: bool,
}

impl Effects {
    /// Declares that `key` of database `db` has changed.
    #[inline]
    pub fn changed(&mut self, db: u32, key: &[u8], event: Event) {
        self.dirty += 1;
        self.notify(db, key, event);
    }

    /// Declares `changes` changes of `key` that are told of as one.
    pub fn changed_by(&mut self, db: u32, key: &[u8], event: Event, changes: usize) {
        self.dirty += changes as u64;
        self.waited_for(db, key);
        self.notify(db, key, event);
    }

    /// Declares that the bytes at `key` have changed though its meaning has not: no event tells of it.
    pub fn changed_silently(&mut self) {
        self.dirty += 1;
    }

    /// Notes that those who wait for `key` are to be looked after.
    #[inline]
    pub fn waited_for(&mut self, db: u32, key: &[u8]) {
        if self.somebody_waits {
            self.ready.push_back((db, key.into()));
        }
    }

    /// Whether keys that are waited for may have changed.
    #[inline]
    pub(crate) fn has_ready(&self) -> bool {
        self.all_ready || !self.ready.is_empty()
    }

    /// The next key that has changed and is waited for.
    pub(crate) fn next_ready(&mut self, node: &Node) -> Option<DbKey> {
        if std::mem::take(&mut self.all_ready) {
            self.ready.extend(node.waiters.keys());
        }
        while let Some(key) = self.ready.pop_front() {
            if node.waiters.has_key(&key) {
                return Some(key);
            }
        }
        None
    }

    /// Declares an event that is no change of its own.
    #[inline]
    pub fn notify(&mut self, db: u32, key: &[u8], event: Event) {
        self.waited_for(db, key);
        if self.listening {
            self.events.push((db, event, key.into()));
        }
    }

    /// Declares a change that concerns no single key (FLUSHDB, SWAPDB).
    pub fn changed_database(&mut self, changes: u64) {
        self.dirty += changes.max(1);
        self.all_ready |= self.somebody_waits;
        self.all_cached = true;
    }

    /// Lets everybody who waits for a key be looked after.
    pub(crate) fn everything_ready(&mut self) {
        self.all_ready = true;
    }

    /// Logs `words` instead of the command as it came. May be called more than once. They join the
    /// batch when the command ends, behind the keys that it found expired.
    pub fn log_instead(&mut self, db: u32, words: &[&[u8]]) {
        self.logging = Logging::Replaced;
        self.replaced.add(db, words);
    }

    /// Logs nothing.
    pub fn log_nothing(&mut self) {
        self.logging = Logging::Nothing;
        self.replaced.clear();
    }

    /// Logs the command as it came although no key has changed (PUBLISH).
    pub fn log_anyway(&mut self, db: u32, request: Request<'_>) {
        self.logging = Logging::Replaced;
        self.replaced.add(db, &request.words());
    }

    /// How many changes were declared since [`Effects::begin`].
    pub fn dirty(&self) -> u64 {
        self.dirty
    }

    fn push(&mut self, db: u32, words: &[&[u8]]) {
        self.batch.command(db, words);
        self.batched += 1;
    }

    /// Carries out what the transaction has declared so far, before the node's role changes in the
    /// middle of it: it was done under the old role, and belongs into the old history.
    pub fn carry_out(&mut self, node: &Node) {
        self.perform(node);
    }

    /// Begins a command.
    #[inline]
    pub(crate) fn begin(&mut self, node: &Node) {
        self.dirty = 0;
        self.logging = Logging::AsItCame;
        self.replaced.clear();
        self.listening = node.notifies();
        self.somebody_waits = node.waiters.any();
        self.events_begin = self.events.len();
    }

    /// Begins a transaction: all its effects become one batch.
    pub(crate) fn begin_transaction(&mut self) {
        self.in_transaction = true;
    }

    /// Keys were missed or made while the command ran: each before whatever else the command did to it.
    #[cold]
    pub(crate) fn noted(&mut self, noted: Vec<(u32, Event, Box<[u8]>)>) {
        let begin = self.events_begin.min(self.events.len());
        let told = self.events.split_off(begin);
        // The place of the first event of each key; there may be very many.
        let mut firsts = ahash::HashMap::default();
        for (at, (db, _, key)) in told.iter().enumerate() {
            firsts.entry((*db, &**key)).or_insert(at);
        }
        let mut next = told.len();
        let place = |one: (u32, Event, Box<[u8]>)| {
            // Of a key that nothing else was done to: before what was noted behind it.
            let mut at = firsts.get(&(one.0, &*one.2)).copied().unwrap_or(next);
            // RENAME makes the new key before it tells of the old one.
            if at > 0 && told[at - 1].1 == Event::RenameFrom {
                at -= 1;
            }
            next = at;
            (at, one)
        };
        let mut places: Vec<_> = noted.into_iter().rev().map(place).collect();
        places.reverse();
        places.sort_by_key(|(at, _)| *at);
        let mut places = places.into_iter().peekable();
        for (at, event) in told.into_iter().enumerate() {
            while let Some((_, noted)) = places.next_if(|(before, _)| *before <= at) {
                self.events.push(noted);
            }
            self.events.push(event);
        }
        self.events.extend(places.map(|(_, noted)| noted));
    }

    /// A key was found expired and has been taken out: before whatever the command that found it did.
    pub(crate) fn expired(&mut self, node: &Node, db: u32, key: &[u8]) {
        node.stats.expired_keys.fetch_add(1, Ordering::Relaxed);
        node.changes.fetch_add(1, Ordering::Relaxed);
        let verb: &[u8] = if node.settings.lazyfree_lazy_expire.get() { b"UNLINK" } else { b"DEL" };
        self.delete(node, db, &[verb, key], Event::Expired);
    }

    /// Fields of a hash or members of a set or sorted set were found expired and have been taken out, and
    /// the key with them if it was `emptied`: before whatever the command that found them did.
    pub fn fields_expired(
        &mut self,
        node: &Node,
        (db, key, kind): (u32, &[u8], Kind),
        fields: &[Vec<u8>],
        emptied: bool,
    ) {
        node.changes.fetch_add(fields.len() as u64, Ordering::Relaxed);
        node.stats.expired_subkeys.fetch_add(fields.len() as u64, Ordering::Relaxed);
        let (verb, event): (&[u8], Event) = match kind {
            Kind::Set => (b"SREM", Event::SetRemove),
            Kind::SortedSet => (b"ZREM", Event::SortedSetRemove),
            _ => (b"HDEL", Event::HashExpired),
        };
        let mut words: Vec<&[u8]> = vec![verb, key];
        words.extend(fields.iter().map(Vec::as_slice));
        self.push(db, &words);
        self.gone_by_itself(node, db, key);
        if node.noted() & NOTES_CHANGES != 0 {
            self.changed_cached(node, key.into(), 0);
        }
        if node.notifies() {
            let at = self.events_begin.min(self.events.len());
            self.events.insert(at, (db, event, key.into()));
            if emptied {
                self.events.insert(at + 1, (db, Event::Delete, key.into()));
            }
            self.events_begin = at + 1 + usize::from(emptied);
        }
    }

    /// As [`Effects::waited_for`], under the lock of a shard that was taken behind `begin`: somebody may have
    /// come to wait meanwhile.
    fn gone_by_itself(&mut self, node: &Node, db: u32, key: &[u8]) {
        self.somebody_waits |= node.waiters.any();
        self.waited_for(db, key);
    }

    /// The server itself has deleted a key: logged as `words`, which end with it.
    pub(crate) fn delete(&mut self, node: &Node, db: u32, words: &[&[u8]; 2], event: Event) {
        self.push(db, words);
        self.gone_by_itself(node, db, words[1]);
        if node.noted() & NOTES_CHANGES != 0 {
            self.changed_cached(node, words[1].into(), 0);
        }
        if node.notifies() {
            let at = self.events_begin.min(self.events.len());
            self.events.insert(at, (db, event, words[1].into()));
            self.events_begin = at + 1;
        }
    }

    /// `by` has changed `key`, whose shard's lock is held; clients may cache it.
    pub(crate) fn changed_cached(&mut self, node: &Node, key: Box<[u8]>, by: u64) {
        self.cached.extend(node.tracking.change(key, by));
    }

    /// Tells of keys that clients cache, while the locks are still held.
    #[inline]
    pub(crate) fn tell_caches(&mut self, node: &Node) {
        if !self.cached.is_empty() {
            node.tracking.tell(node, &self.cached);
            self.cached.clear();
        }
        if std::mem::take(&mut self.all_cached) {
            node.tracking.flush(node);
        }
    }

    /// Ends a command that has run: its own change joins the batch.
    #[inline]
    pub(crate) fn end(&mut self, node: &Node, db: u32, request: Request<'_>) {
        if self.dirty > 0 {
            node.changes.fetch_add(self.dirty, Ordering::Relaxed);
        }
        let alone = self.batched == 0 && !self.in_transaction && node.originates();
        match self.logging {
            Logging::AsItCame if self.dirty > 0 => {
                self.counted = if alone { count(node, db, request) } else { None };
                if self.counted.is_none() {
                    self.push(db, &request.words());
                }
            }
            Logging::Replaced => {
                self.counted = if alone { self.replaced.count(node) } else { None };
                if self.counted.is_none() {
                    self.batched += self.replaced.commands.len();
                    self.replaced.join(&mut self.batch);
                }
            }
            _ => {}
        }
    }

    /// Carries everything out: appends the batch to the log, publishes events, tells of keys that
    /// clients cache. The locks are still held. Gives the log's end if anything was appended.
    ///
    /// Outside of a transaction the commands of the batch have nothing to do with each other: they are
    /// what the server does of itself, and what a command that looks at any keys (SCAN) has met.
    #[inline]
    pub(crate) fn perform(&mut self, node: &Node) -> Option<Offset> {
        let end = self.log_and_publish(node, self.in_transaction);
        self.tell_caches(node);
        end
    }

    /// As [`Effects::perform`], for a command: all that it has done happens at once for those who read
    /// the log, framed by MULTI and EXEC if that is more than one.
    #[inline]
    pub(crate) fn perform_command(&mut self, node: &Node) -> Option<Offset> {
        let end = self.log_and_publish(node, true);
        self.tell_caches(node);
        end
    }

    /// Carries out all but what concerns clients that cache keys; what is logged is `one` whole.
    #[inline]
    pub(crate) fn log_and_publish(&mut self, node: &Node, one: bool) -> Option<Offset> {
        let mut end = self.counted.take();
        if self.batched > 0 {
            let framed = one && self.batched > 1;
            if node.originates() {
                self.batch.finish(if framed { Framing::Transaction } else { Framing::Plain });
                end = Some(node.log.append(&self.batch));
            }
            self.batch.begin();
            self.batched = 0;
        }
        self.in_transaction = false;
        for (db, event, key) in self.events.drain(..) {
            node.pubsub.notify_keyspace(node, db, event, &key);
        }
        end
    }
}

/// Moves the log's end as far as `request` would, if nobody wants its bytes.
#[inline]
fn count(node: &Node, db: u32, request: Request<'_>) -> Option<Offset> {
    let lengths = request.ranges.iter().map(|&(start, end)| end.saturating_sub(start) as usize);
    node.log.count(db, oplog::encoded_bytes(lengths))
}
