//! The locks a command holds: the shards of its keys, ascending, or everything.
//!
//! A loop never sleeps on a shard: [`LockSet::keys`] tries, spins briefly, and gives up, and the
//! caller parks the session. Under the gate ([`LockSet::all`]) shards are locked as they are asked
//! for; nobody else is inside, so this cannot wait for long or deadlock.

use crate::keyspace::Keyspace;
use crate::shard::Shard;
use crate::sync::{MutexGuard, TRIES_MAX, spin_loop};
use smallvec::SmallVec;

/// Shard locks, held until dropped.
#[derive(Debug)]
pub struct LockSet<'a> {
    keyspace: &'a Keyspace,
    /// The shard of a command with one key.
    one: Option<(u16, MutexGuard<'a, Shard>)>,
    /// The others, ascending.
    held: SmallVec<[(u16, MutexGuard<'a, Shard>); 2]>,
    all: bool,
}

impl<'a> LockSet<'a> {
    /// The lock of one shard. `None` if it stays taken.
    #[inline]
    pub fn one(keyspace: &'a Keyspace, shard: u16) -> Option<LockSet<'a>> {
        let guard = try_for_a_while(keyspace, shard)?;
        Some(LockSet { one: Some((shard, guard)), ..LockSet::none(keyspace) })
    }

    /// The locks of `shards`, which are sorted and dedupled here. `None` if one stays taken.
    pub fn keys(keyspace: &'a Keyspace, shards: &mut SmallVec<[u16; 8]>) -> Option<LockSet<'a>> {
        if shards.len() > 1 {
            shards.sort_unstable();
            shards.dedup();
        }
        let mut held = SmallVec::new();
        for &shard in shards.iter() {
            held.push((shard, try_for_a_while(keyspace, shard)?));
        }
        Some(LockSet { held, ..LockSet::none(keyspace) })
    }

    /// No locks: for commands without keys.
    #[inline]
    pub fn none(keyspace: &'a Keyspace) -> LockSet<'a> {
        LockSet { keyspace, one: None, held: SmallVec::new(), all: false }
    }

    /// Any shard, for a caller that has the keyspace to itself.
    pub fn all(keyspace: &'a Keyspace) -> LockSet<'a> {
        LockSet { all: true, ..LockSet::none(keyspace) }
    }

    /// Whether every shard may be asked for.
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// The shard `index`, if it is held or may be taken now.
    #[inline]
    pub fn shard(&mut self, index: u16) -> Option<&mut Shard> {
        if self.is_the_one(index) {
            return self.one.as_mut().map(|(_, guard)| &mut **guard);
        }
        self.one_of_many(index)
    }

    #[inline]
    fn is_the_one(&self, index: u16) -> bool {
        self.one.as_ref().is_some_and(|(one, _)| *one == index)
    }

    fn one_of_many(&mut self, index: u16) -> Option<&mut Shard> {
        let at = match self.held.binary_search_by_key(&index, |(shard, _)| *shard) {
            Ok(at) => at,
            Err(_) if !self.all => return None,
            Err(at) => {
                self.held.insert(at, (index, self.keyspace.lock(index)));
                at
            }
        };
        Some(&mut self.held[at].1)
    }

    /// Takes more shards, if they are free now; out of order, so without waiting. Whether all are held:
    /// if not, some of them may be.
    pub fn extend(&mut self, shards: &[u16]) -> bool {
        self.all
            || shards.iter().all(|&shard| {
                if self.is_the_one(shard) {
                    return true;
                }
                let Err(at) = self.held.binary_search_by_key(&shard, |(held, _)| *held) else {
                    return true;
                };
                let guard = try_for_a_while(self.keyspace, shard);
                guard.is_some_and(|guard| {
                    self.held.insert(at, (shard, guard));
                    true
                })
            })
    }

    /// Lets the shards go that were taken under `all`, so that a walk over everything does not
    /// gather them.
    pub fn release(&mut self) {
        if self.all {
            self.held.clear();
        }
    }
}

#[inline]
fn try_for_a_while(keyspace: &Keyspace, shard: u16) -> Option<MutexGuard<'_, Shard>> {
    for _ in 0..TRIES_MAX {
        if let Some(guard) = keyspace.try_lock(shard) {
            return Some(guard);
        }
        spin_loop();
    }
    keyspace.want(shard);
    None
}
